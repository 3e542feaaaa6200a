#!/usr/bin/env python3
"""What is in deploy/, against a real node and a real Prometheus: the example configuration runs, every series that a rule
or a panel names is there, docs/metrics.md is the node's page, every alert has its runbook."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import time
import unittest

import support
from support import FRESHET, SOURCE_DIR, FreshetTest

try:
    import yaml
except ImportError:
    raise SystemExit("no module 'yaml': run 'scripts/setup --with deploy'") from None

from freshet_process import FreshetProcess, wait_until
from prometheus import Prometheus, families_of, page_of
from resp import RespError

DEPLOY = SOURCE_DIR / "deploy"
RUNBOOKS = SOURCE_DIR / "docs/runbooks"
RULE_FILES = ["objectives.yml", "recording.yml", "alerts.yml"]
WITHIN = 120
ENVIRONMENT = {"FRESHET_INSTANCE": "here", "REDIS_PASSWORD": "", "LOOKUP_PASSWORD": "secret"}
# A series in an expression: its name, and what stands in braces.
SELECTOR = re.compile(r"(?<![\w:\"])((?:[a-z_]+:)?freshet_\w+(?::\w+)?|up|ALERTS)\b(\{[^}]*\})?")


# What a test on a machine with other work may see.
OF_SLOW_MACHINES = ["FreshetStale", "FreshetStaleOften", "FreshetLagGrowing", "FreshetPartitionsLost", "FreshetPartitionRestarting",
                    "FreshetFlushSlow", "FreshetLookupsSlow"]
# The consumer group takes no partition from a node that is alone.
NOT_PROVOKED = {'{reason=~"lost|late"}'}


def rules(file):
    return [rule for group in yaml.safe_load((DEPLOY / "prometheus" / file).read_text())["groups"]
            for rule in group["rules"]]


def alerts():
    return rules("alerts.yml")


def dashboards():
    return {path.name: json.loads(path.read_text()) for path in sorted((DEPLOY / "grafana/dashboards").glob("*.json"))}


def panel_expressions():
    return {f"{name}: {panel['title']}": [target["expr"] for target in panel["targets"]]
            for name, dashboard in dashboards().items() for panel in dashboard["panels"]}


def as_of_all(expression):
    """As Grafana asks when no deployment is chosen."""
    return expression.replace("$job", ".+")


def selectors(expression):
    return {name + (matchers or "") for name, matchers in SELECTOR.findall(expression)}


class Files(unittest.TestCase):
    """What can be told of the files alone."""

    def run_tool(self, *command, **options):
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, **options)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def test_the_configuration_is_valid(self):
        said = self.run_tool(FRESHET, "check", "-c", DEPLOY / "freshet.yaml", env=os.environ | ENVIRONMENT)
        self.assertIn("freshet.yaml is valid", said)

    def test_objectives_repeat_the_configuration(self):
        config = yaml.safe_load((DEPLOY / "freshet.yaml").read_text())
        gib = int(re.fullmatch(r"(\d+)GiB", config["ingest"]["memory_limit"])[1])
        memory, = [rule["expr"] for rule in rules("objectives.yml")]
        self.assertEqual(memory, f"vector({(gib << 30) * 5 // 8})")

    def test_prometheus_takes_the_files(self):
        self.run_tool("promtool", "check", "config", "--lint-fatal", DEPLOY / "prometheus/prometheus.yml")
        self.run_tool("promtool", "check", "rules", "--lint-fatal", *(DEPLOY / "prometheus" / f for f in RULE_FILES))

    def test_the_rules_do_what_they_should(self):
        self.run_tool("promtool", "test", "rules", DEPLOY / "prometheus/rules.test.yml")

    def test_every_alert_is_seen_to_fire(self):
        fired = {case["alertname"] for test in yaml.safe_load((DEPLOY / "prometheus/rules.test.yml").read_text())["tests"]
                 for case in test.get("alert_rule_test", ()) if case["exp_alerts"]}
        self.assertEqual(fired, {rule["alert"] for rule in alerts()})

    def test_every_alert_has_a_runbook_and_every_runbook_an_alert(self):
        self.assertEqual({rule["alert"] for rule in alerts()}, {path.stem for path in RUNBOOKS.glob("*.md")})
        for rule in alerts():
            name = rule["alert"]
            with self.subTest(alert=name):
                self.assertEqual(rule["annotations"]["runbook"], f"docs/runbooks/{name}.md")
                self.assertIn(rule["labels"]["severity"], ("critical", "warning"))
                text = (RUNBOOKS / f"{name}.md").read_text()
                self.assertTrue(text.startswith(f"# {name}\n"))
                for part in ("What it means", "How to confirm", "What to do"):
                    self.assertIn(f"\n## {part}\n", text)
                self.assertIn(f"(runbooks/{name}.md)", (SOURCE_DIR / "docs/operations.md").read_text())

    def test_runbooks_name_only_commands_metrics_and_pages_that_exist(self):
        commands = set(re.findall(r"^  (\w+) ", self.run_tool(FRESHET, "--help"), re.M))
        documented = (SOURCE_DIR / "docs/metrics.md").read_text()
        recorded = {rule["record"] for file in RULE_FILES for rule in rules(file) if "record" in rule}
        for path in [*RUNBOOKS.glob("*.md"), SOURCE_DIR / "docs/operations.md"]:
            text = path.read_text()
            with self.subTest(page=path.name):
                self.assertLessEqual(set(re.findall(r"(?:^    |`)freshet (\w+)", text, re.M)), commands)
                for name in re.findall(r"(?:\w+:)?freshet_[\w:]+", text):
                    self.assertTrue(name in recorded or f"`{name}`" in documented, name)
                for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
                    self.assertTrue((path.parent / link).exists(), link)

    def test_the_service_is_valid_and_shut_in(self):
        unit = (DEPLOY / "systemd/freshet.service").read_text()
        said = subprocess.run(["systemd-analyze", "verify", str(DEPLOY / "systemd/freshet.service")], text=True,
                              capture_output=True).stderr.splitlines()
        self.assertEqual([line for line in said if "freshet.service" in line and "is not executable" not in line], [])
        exposed = self.run_tool("systemd-analyze", "security", "--offline=true", "--threshold=20",
                                DEPLOY / "systemd/freshet.service")
        self.assertIn("Overall exposure level", exposed)
        self.assertGreater(int(re.search(r"^TimeoutStopSec=(\d+)$", unit, re.M)[1]), 9)  # what SIGTERM may take
        self.assertNotIn("\nWatchdogSec", unit)
        given = set(re.findall(r"\$\{(\w+)\}", re.sub(r"(?m)^ *#.*", "", (DEPLOY / "freshet.yaml").read_text())))
        secrets = (DEPLOY / "systemd/freshet.env").read_text()
        named = set(re.findall(r"^(?:Environment=)?([A-Z_]+)=", unit + secrets, re.M))
        self.assertLessEqual(given, named)

    def test_the_image_has_what_the_program_needs(self):
        """Every library that the program names is of a package in the image's second stage."""
        listed = self.run_tool(SOURCE_DIR / "scripts/setup", "--only", "run", "--list").split()
        packages = set(listed) | {"libc6", "libgcc-s1"}   # in every Debian
        needed = set(re.findall(r"NEEDED.*\[(.+)\]", self.run_tool("readelf", "-d", FRESHET)))
        found = dict(re.findall(r"^\s*(\S+) => (\S+)", self.run_tool("ldd", FRESHET), re.M))
        for library in needed:
            with self.subTest(library=library):
                owner = subprocess.run(["dpkg", "-S", f"*/{pathlib.Path(found[library]).resolve().name}"], text=True,
                                       capture_output=True).stdout
                owners = {line.partition(":")[0] for line in owner.splitlines()}
                self.assertTrue(owners & packages, f"{library} is of {owners or 'no package'}")
        dockerfile = (DEPLOY / "Dockerfile").read_text()
        self.assertIn("setup --only build", dockerfile)
        self.assertIn("setup --only run", dockerfile)

    def test_panels_have_their_places_and_the_provisioned_source(self):
        sources = yaml.safe_load((DEPLOY / "grafana/provisioning/datasources/prometheus.yml").read_text())["datasources"]
        for name, dashboard in dashboards().items():
            self.assertEqual(len({panel["id"] for panel in dashboard["panels"]}), len(dashboard["panels"]))
            taken = set()
            for panel in dashboard["panels"]:
                with self.subTest(dashboard=name, panel=panel["title"]):
                    self.assertEqual(panel["datasource"]["uid"], sources[0]["uid"])
                    place = panel["gridPos"]
                    cells = {(x, y) for x in range(place["x"], place["x"] + place["w"])
                             for y in range(place["y"], place["y"] + place["h"])}
                    self.assertLessEqual(max(x for x, _ in cells), 23)
                    self.assertFalse(cells & taken)
                    taken |= cells

    def test_matchers_name_values_that_exist(self):
        documented = set(re.findall(r"`([^`\s]+)`", (SOURCE_DIR / "docs/metrics.md").read_text()))
        expressions = [rule["expr"] for file in RULE_FILES for rule in rules(file)]
        expressions += [e for group in panel_expressions().values() for e in group]
        seen = 0
        matcher = re.compile(r'\b(code|reason|command)(?:=~|=|!=|!~)"([^"]*)"')
        for label, values in matcher.findall("\n".join(map(str, expressions))):
            for value in values.split("|"):
                self.assertIn(value, documented, label)
                seen += 1
        self.assertGreater(seen, 10)


def documented_metrics():
    """{name: (type, labels, from the start)} of docs/metrics.md."""
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| ([\w, ]*?) ?\| ([\w ]+) \| (start|first) \| (.+) \|$",
                      (SOURCE_DIR / "docs/metrics.md").read_text(), re.M)
    return {name: (kind, {label.strip() for label in labels.split(",") if label.strip()}, at == "start")
            for name, kind, labels, _, at, _ in rows}


class WithPrometheus(FreshetTest):
    """A node of deploy/freshet.yaml, but with a Kafka and a Redis of its own."""

    maxDiff = None

    def start_node(self):
        text = (DEPLOY / "freshet.yaml").read_text()
        for what, instead in [(r"(?m)^  brokers: .*", "  brokers: embedded"),
                              (r"(?m)^  address: .*", "  address: embedded"),
                              (r'(?m)^  listen: "0\.0\.0\.0:\d+"', '  listen: "127.0.0.1:0"')]:
            text, changed = re.subn(what, instead, text)
            self.assertGreater(changed, 0)
        self.config = self.write("freshet.yaml", text)
        os.environ.update(ENVIRONMENT)
        self.node = FreshetProcess(["run", "-c", str(self.config)], self.folder / "node.log")
        self.addCleanup(self.node.stop, within=60)
        self.client = self.node.client()
        self.addCleanup(self.client.close)
        self.client.command("AUTH", "secret")

    def start_prometheus(self):
        """With the shipped files, but for the target, whom to tell, and how often."""
        folder = self.folder / "prometheus"
        shutil.copytree(DEPLOY / "prometheus", folder)
        config = yaml.safe_load((folder / "prometheus.yml").read_text())
        config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        del config["alerting"]
        scrape, = config["scrape_configs"]
        scrape["static_configs"] = [{"targets": [self.node.ready["metrics"]]}]
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        self.prometheus = Prometheus(folder)
        self.addCleanup(self.prometheus.stop)

    def send(self, *events):
        """Each to the next partition."""
        path = self.write("events.jsonl", "".join(json.dumps(event) + "\n" for event in events))
        config = self.write("producer.yaml", self.config.read_text().replace(
            "brokers: embedded", f"brokers: \"{self.node.ready['kafka']}\""))
        self.freshet("replay", "-c", config, path)

    def sample(self, query):
        return self.prometheus.query(query)

    def series(self, name, **labels):
        """The value of a series on the node's page; None where there is none."""
        family = families_of(page_of(self.node)).get(name)
        samples = family.samples if family else ()
        return next((value for _, found, value in samples if labels.items() <= found.items()), None)

    def payment(self, **changes):
        return {"card": "c1", "merchant": "m1", "amount": 12.5, "country": "NL", "ts": int(time.time() * 1000)} | changes

    def count_payments(self):
        self.send(*(self.payment(card=f"c{i}") for i in range(40)))
        asked = "FS.GET", "card_spend", "c39", "FEATURES", 1, "payments_1d"
        wait_until(lambda: self.client.command(*asked) == [1], WITHIN, "payments are counted")

    def test_every_series_is_there(self):
        self.start_node()
        self.check_page("at its start")
        self.start_prometheus()
        wait_until(lambda: self.sample("topic:freshet_partitions:count"), WITHIN, "partitions are consumed")
        self.count_payments()
        self.client.call("FS.MGET", "card_spend", 2, "c1", "c2")
        self.client.call("FS.VECTOR", "fraud_model_v1", "KEYS", 2, "card", "merchant", "ROWS", 1, "c1", "m1")
        self.check_quiet()
        self.provoke()
        wait_until(lambda: self.series("freshet_partition_lag_events") is not None, WITHIN, "partitions")
        self.check_page("after all kinds of trouble")
        self.check_rules()
        self.check_series()
        self.check_panels()
        self.check_health()

    def check_health(self):
        """The image's health check, but for the port, while the node lives and then."""
        dockerfile = (DEPLOY / "Dockerfile").read_text()
        *bash, asks = json.loads(re.search(r"^HEALTHCHECK .*\\\n +CMD (\[.*\])$", dockerfile, re.M)[1])
        port = re.search(r'(?m)^metrics:\n  listen: "0\.0\.0\.0:(\d+)"', (DEPLOY / "freshet.yaml").read_text())[1]
        self.assertIn(f"/dev/tcp/127.0.0.1/{port} ", asks)
        asks = asks.replace(f"127.0.0.1/{port}", self.node.ready["metrics"].replace(":", "/"))
        self.assertEqual(subprocess.run([*bash, asks], timeout=WITHIN).returncode, 0)
        self.node.stop(within=60)
        self.assertNotEqual(subprocess.run([*bash, asks], timeout=WITHIN, stderr=subprocess.DEVNULL).returncode, 0)

    def check_quiet(self):
        """A node at work raises nothing, unless the machine is slow."""
        wait_until(lambda: self.sample("command:freshet_lookup_seconds:p99_5m > 0"), WITHIN, "rules are evaluated")
        raised = f'ALERTS{{alertname!~"{"|".join(OF_SLOW_MACHINES)}"}}'
        wait_until(lambda: not self.sample(raised), WITHIN, "no alert is raised")

    def provoke(self):
        """What counters with labels need to be there: they appear at their first increment."""
        days_ago = int(time.time() * 1000) - 3 * 86_400_000
        self.send(*[self.payment(amount="much")] * 4, *[self.payment(ts=days_ago)] * 16)
        for reason in ("wrong_type", "late"):
            wait_until(lambda r=reason: self.series("freshet_events_dropped_total", reason=r), WITHIN, reason)
        self.assertEqual(self.error_of("card_spent", "c1"), "NOVIEW")
        # Rather than once: the moment in which Redis is silent, or nothing is known of the view, may pass unseen.
        for trouble, view, entity, code in [
                (("CLIENT", "PAUSE", "3000", "ALL"), "card_spend", "c1", "UNAVAILABLE"),
                (("FLUSHALL",), "merchant_traffic", "m1", "STALE")]:   # a view with on_breach: error
            wait_until(lambda t=trouble, v=view, e=entity, c=code: self.redis(*t) and self.error_of(v, e) == c, WITHIN, code)
        wait_until(lambda: self.series("freshet_partition_restarts_total", reason="lost_writes"), WITHIN, "lost writes")

    def error_of(self, view, entity):
        """The code of a look-up's error; None if it has none."""
        reply = self.client.command("FS.GET", view, entity)
        return reply.code if isinstance(reply, RespError) else None

    def redis(self, *command):
        return subprocess.run(["redis-cli", "-s", self.node.ready["redis"], *command], check=True, capture_output=True)

    def check_page(self, when):
        """docs/metrics.md names what is on the page, and nothing else; `at` is true."""
        at_start = when == "at its start"
        wanted = {name: (kind, labels) for name, (kind, labels, from_start) in documented_metrics().items()
                  if from_start or not at_start}
        families = families_of(page_of(self.node))
        found = {name: (family.kind, family.labels) for name, family in families.items() if family.samples}
        if at_start:        # partitions may be consumed already
            found.pop("freshet_partition_lag_events", None)
        self.assertEqual(found, wanted, when)

    def check_rules(self):
        """Prometheus has evaluated every rule of every file, none in vain."""
        shipped = [rule for file in RULE_FILES for rule in rules(file)]
        wait_until(lambda: all(rule["health"] != "unknown" for rule in self.prometheus.rules()), WITHIN, "all rules")
        self.assertEqual([rule["name"] for rule in self.prometheus.rules() if rule["health"] != "ok"], [])
        self.assertEqual(len(self.prometheus.rules()), len(shipped))
        for name in (rule["record"] for rule in shipped if "record" in rule):
            wait_until(lambda n=name: self.sample(f"last_over_time({n}[10m])"), WITHIN, f"{name} is recorded")

    def check_series(self):
        expressions = {rule.get("alert") or rule["record"]: [str(rule["expr"])]
                       for file in RULE_FILES for rule in rules(file)}
        checked = set()
        for place, group in {**expressions, **panel_expressions()}.items():
            for selector in set().union(*(selectors(as_of_all(e)) for e in group)) - checked:
                with self.subTest(place=place, series=selector):
                    if selector.startswith("ALERTS"):     # there only while one is raised
                        continue
                    name, brace, matchers = selector.partition("{")
                    asked = name if brace + matchers in NOT_PROVOKED else selector
                    self.assertTrue(self.sample(f"last_over_time({asked}[10m])"))
                    checked.add(selector)
        self.assertGreater(len(checked), 30)

    def check_panels(self):
        """Every curve of every panel shows something."""
        for place, group in panel_expressions().items():
            for expression in group:
                with self.subTest(panel=place, expression=expression):
                    wait_until(lambda e=expression: self.sample(as_of_all(e)), WITHIN, "a value")


if __name__ == "__main__":
    for tool in ("prometheus", "promtool", "systemd-analyze", "redis-cli"):
        if not shutil.which(tool):
            raise SystemExit(f"no '{tool}': run 'scripts/setup --with deploy'")
    support.main()
