#!/usr/bin/env python3
"""The status page in a real browser, headless Chromium: what it shows of a real node with its embedded broker and Redis, looking
up an entity, the tiles behind a number, a phone, and a node that is behind or gone. FRESHET_SCREENSHOT names a file for a
picture of the page, after five minutes of work."""
import json
import math
import os
import pathlib
import random
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

from freshet_process import FreshetProcess, wait_until
from http_site import Site
from kafka_services import Redis

try:
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service
    from selenium.webdriver.common.by import By
except ImportError:
    webdriver = None

SKIPPED = 77
WITHIN = 90
CHROMIUM, DRIVER = (shutil.which(name) for name in ("chromium", "chromedriver"))
STORES = ["downtown", "harbour", "old town", "station", "airport", "university"]
COUNTRIES = ["NL", "DE", "BE", "FR", "DK"]
CONFIG = """
kafka: {{brokers: embedded}}
redis: {{address: "{redis}"}}
metrics: {{listen: "127.0.0.1:0"}}
lookup:
  listen: "127.0.0.1:0"
{lookup}
sources:
  orders:
    topic: orders
    time: {{field: ts, format: unix_ms}}
    fields: {{store: string, country: string, amount: float}}
views:
  store_orders:
    source: orders
    entity: store
    features:
      orders_5m: {{count: "*", window: 5m}}
      orders_1h: {{count: "*", window: 1h}}
      spent_1h: {{sum: amount, window: 1h}}
      mean_amount_1h: {{mean: amount, window: 1h}}
      amount_p95_1h: {{quantile: amount, q: 0.95, window: 1h}}
      last_country_1h: {{last: country, window: 1h}}
    freshness: {{max_staleness: 2s}}
  store_countries:
    source: orders
    entity: [store, country]
    features: {{orders_1h: {{count: "*", window: 1h, freshness: {{max_staleness: 5s}}}}}}
    freshness: {{max_staleness: 30s}}
  country_orders:
    source: orders
    entity: country
    features: {{orders_1d: {{count: "*", window: 1d}}}}
"""
USERS = "  users: {admin: {password: some, views: ['*']}}"
XSS = "<img src=x onerror=document.title='broken'>"


def setUpModule():
    lacking = [name for name, found in (("python3-selenium", webdriver), ("chromium", CHROMIUM), ("chromium-driver", DRIVER))
               if not found]
    if not lacking:
        return
    reason = f"{', '.join(lacking)} is not installed: scripts/setup --with browser"
    if os.environ.get("FRESHET_REQUIRE_BROWSER"):
        raise RuntimeError(reason)
    print(f"skipped: {reason}")
    sys.exit(SKIPPED)


class StatusBrowserTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="freshet-browser-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        options = webdriver.ChromeOptions()
        options.binary_location = CHROMIUM
        for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--disable-extensions",
                         "--no-first-run", "--hide-scrollbars", f"--user-data-dir={cls.folder / 'profile'}"):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        cls.browser = webdriver.Chrome(service=Service(DRIVER), options=options)
        cls.addClassCleanup(cls.browser.quit)

    def setUp(self):
        self.redis = Redis(self.folder)
        self.addCleanup(self.redis.stop)
        self.addCleanup(self.redis._process.send_signal, signal.SIGCONT)
        self.size(1200, 1000)

    def start(self, lookup=""):
        config = self.folder / "config.yaml"
        config.write_text(CONFIG.format(redis=self.redis.address, lookup=lookup))
        self.node = FreshetProcess(["run", "-c", str(config)], self.folder / "node.log")
        self.addCleanup(self.node.stop)
        self.address = self.node.ready["metrics"]
        self.site = Site(self.address, user=("admin", "some") if lookup else None)
        wait_until(lambda: self.site.get("/readyz").status == 200, WITHIN, "the node is ready")

    def send(self, orders):
        lines = "".join(json.dumps(dict(zip(("ts", "store", "country", "amount"), order))) + "\n" for order in orders)
        subprocess.run(["kcat", "-P", "-b", self.node.ready["kafka"], "-t", "orders"], input=lines, text=True, check=True)

    def size(self, width, height, dark=False, phone=False):
        self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                                     {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": phone})
        self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {
            "features": [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]})

    def open(self, fragment="", credentials=""):
        self.browser.get("about:blank")
        self.browser.get(f"http://{credentials}{self.address}/{fragment}")

    def text(self, selector="body"):
        return self.browser.execute_script("return document.querySelector(arguments[0])?.innerText ?? ''", selector)

    def sees(self, text, selector="body"):
        try:
            wait_until(lambda: text in self.text(selector), WITHIN, f"{selector} says {text!r}")
        except TimeoutError as error:
            raise AssertionError(f"{error}; it says:\n{self.text(selector)}") from error

    def find(self, selector):
        return self.browser.find_element(By.CSS_SELECTOR, selector)

    def click(self, element):
        self.browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
        element.click()

    def look_up(self, view, *entity):
        self.browser.execute_script("""const select = document.querySelector('#lookup [name=view]');
            select.value = arguments[0]; select.dispatchEvent(new Event('change'));""", view)
        fields = self.browser.find_elements(By.CSS_SELECTOR, "#lookup [name=entity]")
        self.assertEqual(len(fields), len(entity))
        for field, value in zip(fields, entity):
            field.send_keys(value)
        self.click(self.find("#lookup button[type=submit]"))

    def value(self, feature):
        rows = self.browser.find_elements(By.CSS_SELECTOR, "#answer > table > tbody > tr")
        return next(row for row in rows if row.text.startswith(feature)).find_element(By.CSS_SELECTOR, "button.value")

    def complaints(self):
        return [entry["message"] for entry in self.browser.get_log("browser") if entry["level"] == "SEVERE"]

    def test_the_page_shows_the_node_and_what_stands_behind_a_number(self):
        self.start()
        now = int(time.time() * 1000)
        self.send((now - age * 60_000, "downtown", "NL", amount) for age, amount in ((0, 2.5), (0, 3.5), (12, 4.0), (30, 10.0)))
        self.send([(now, XSS, "DE", 1.0)])
        wait_until(lambda: self.site.json("/api/lookup", view="store_orders", entity="downtown")[1]["values"]["orders_1h"] == 4,
                   WITHIN, "it is counted")
        self.complaints()
        self.open()
        self.sees("ready", "#ready")
        self.assertEqual(self.text("#ready"), "ready")
        for name in ("store_orders", "store_countries", "country_orders", "may be 2 s", "may be 5 s", "0.0 % of 1d", "no limit"):
            self.sees(name, "#views")
        for partition in range(4):
            self.sees(f"orders/{partition}", "#partitions")
        self.sees("running", "#partitions")
        self.sees("none since the node's start", "#transitions")
        self.sees("/s", "#activity")

        self.look_up("store_orders", "downtown")
        self.sees("mean_amount_1h", "#answer")
        self.assertEqual(self.value("orders_1h").text, "4")
        self.assertEqual(self.value("mean_amount_1h").text, "5")
        self.assertIn("fresh", self.text("#answer tbody tr"))
        self.click(self.value("orders_1h"))
        self.sees("up to offset", "#answer .why")
        self.assertIn("in tiles of", self.text("#answer .why"))
        bars = self.browser.find_elements(By.CSS_SELECTOR, "#answer .why svg rect")
        self.assertGreaterEqual(len(bars), 3)
        self.assertEqual(self.value("orders_1h").get_attribute("aria-expanded"), "true")
        counts = self.browser.execute_script(
            "return [...document.querySelectorAll('#answer .why tbody td.right')].map((td) => Number(td.textContent))")
        self.assertEqual(sum(counts), 4)
        self.click(self.value("orders_1h"))
        wait_until(lambda: self.value("orders_1h").get_attribute("aria-expanded") == "false", WITHIN, "it is shut again")

        # What is looked up can be passed on, and comes again without a click.
        self.assertIn("entity=downtown", self.browser.current_url)
        self.open("#view=store_countries&entity=downtown&entity=NL")
        self.sees("downtown | NL", "#answer")
        self.assertEqual(self.value("orders_1h").text, "4")
        # Names are text, whatever they hold.
        self.look_up("store_orders", XSS)
        self.sees(XSS, "#answer")
        self.assertEqual(self.browser.title, "Freshet")
        self.assertEqual(self.browser.find_elements(By.CSS_SELECTOR, "#answer img"), [])
        self.look_up("store_orders", "nobody")
        self.sees("no event", "#answer")
        self.assertEqual(self.complaints(), [])

    def test_a_phone_scrolls_down_only(self):
        self.start()
        long = "a-store-with-a-name-that-nobody-would-ever-type-on-a-phone-" * 3
        self.send([(int(time.time() * 1000), long, "NL", 1.0)])
        wait_until(lambda: self.site.json("/api/lookup", view="store_orders", entity=long)[1]["values"]["orders_1h"] == 1,
                   WITHIN, "it is counted")
        for dark in (False, True):
            for width in (320, 390):
                self.size(width, 800, dark=dark, phone=True)
                self.open(f"#view=store_orders&entity={long}")
                self.sees("orders/3", "#partitions")
                self.sees("amount_p95_1h", "#answer")
                self.click(self.value("orders_1h"))
                self.sees("up to offset", "#answer .why")
                inner, wide = self.browser.execute_script("return [window.innerWidth, document.documentElement.scrollWidth]")
                self.assertEqual((inner, wide), (width, width))
                beyond = self.browser.execute_script("""return [...document.querySelectorAll('body *')]
                    .filter((element) => element.getBoundingClientRect().right > arguments[0])
                    .map((element) => element.outerHTML)""", width)
                self.assertEqual(beyond, [])
        background = self.browser.execute_script("return getComputedStyle(document.body).backgroundColor")
        self.assertLess(max(int(part) for part in background[4:-1].split(",")), 60, "dark is dark")

    def test_a_breach_is_shown_and_its_end(self):
        self.start()
        self.open()
        self.sees("fresh", "#views")
        self.redis._process.send_signal(signal.SIGSTOP)
        self.sees("not ready", "#ready")
        self.sees("view store_orders is in breach", "#troubles")
        self.sees("in breach since", "#views")
        self.sees("breach", "#transitions")
        self.look_up("store_orders", "downtown")
        self.sees("redis", "#answer")
        self.redis._process.send_signal(signal.SIGCONT)
        wait_until(lambda: self.text("#ready") == "ready", WITHIN, "it is ready again")
        self.sees("is fresh again", "#transitions")
        self.assertEqual(self.text("#troubles"), "")
        self.node.stop()
        self.sees("no answer", "#ready")

    def test_users_log_in(self):
        self.start(USERS)
        self.open(credentials="admin:no@")
        self.assertNotIn("Freshet", self.browser.title)
        self.open(credentials="admin:some@")
        self.sees("ready", "#ready")
        self.sees("store_orders", "#views")
        self.look_up("store_orders", "downtown")
        self.sees("orders_1h", "#answer")

    def test_a_node_at_work_is_drawn(self):
        """The picture of the README, too: FRESHET_SCREENSHOT=docs/images/status-page.png, after five minutes of work."""
        wanted = os.environ.get("FRESHET_SCREENSHOT")
        path = pathlib.Path(wanted) if wanted else self.folder / "page.png"
        self.start()
        self.send(Shop(1).orders(100_000, 3_600_000))
        self.keep_busy()
        wait_until(lambda: self.is_history(samples=150 if wanted else 8), 600, "there is a history")
        self.complaints()
        self.open("#view=store_orders&entity=downtown")
        self.sees("mean_amount_1h", "#answer")
        self.click(self.value("orders_1h"))
        self.sees("up to offset", "#answer .why")
        self.assertEqual(self.text("#ready"), "ready")
        for chart in self.browser.find_elements(By.CSS_SELECTOR, "#activity .chart"):
            heights = set(re.findall(r"L\S+ (\S+)", chart.find_element(By.CSS_SELECTOR, ".line").get_attribute("d")))
            self.assertGreater(len(heights), 0 if "p99" in chart.text else 2, f"{chart.text} is a curve")
        for width, how in ((1100, {}), (1100, {"dark": True}), (390, {"phone": True})):
            self.size(width, 800, **how)
            height = self.browser.execute_script("return document.documentElement.scrollHeight")
            self.size(width, height, **how)
            name = path.with_stem("-".join([path.stem, *how]))
            self.browser.save_screenshot(str(name))
            size = struct.unpack(">II", name.read_bytes()[16:24])   # of a PNG's header
            self.assertEqual(size, (width, height))
        self.assertEqual(self.complaints(), [])

    def keep_busy(self):
        """Orders and look-ups, more and fewer of them, until the test ends."""
        ended = threading.Event()

        def work():
            shop = Shop(2)
            with self.node.client() as client:
                while not ended.wait(0.4):
                    wave = 1 + 0.5 * math.sin(time.time() / 14) + 0.2 * math.sin(time.time() / 3.1)
                    self.send(shop.orders(int(20 * wave), 400))
                    for _ in range(int(150 * wave)):
                        client.command("FS.GET", "store_orders", shop.store())
        working = threading.Thread(target=work)
        working.start()
        self.addCleanup(working.join)
        self.addCleanup(ended.set)

    def is_history(self, samples):
        """So many samples, without the orders that were there before, and rates that come and go."""
        activity = self.site.json("/api/status")[1]["activity"]
        columns = [activity[name][-samples:] for name in ("events_per_s", "lookups_per_s")]
        return all(len(column) == samples and len(set(column)) > 3 for column in columns) and max(columns[0]) < 3000


class Shop:
    """Orders by chance."""

    def __init__(self, seed):
        self.dice = random.Random(seed)
        self.weights = [2 ** -i + 0.2 for i in range(len(STORES))]

    def store(self):
        return self.dice.choices(STORES, self.weights)[0]

    def orders(self, count, oldest_ms):
        now = int(time.time() * 1000)
        for _ in range(count):
            age = int(oldest_ms * self.dice.betavariate(1, 1.4))
            yield now - age, self.store(), self.dice.choice(COUNTRIES), round(self.dice.lognormvariate(3, 0.6), 2)


if __name__ == "__main__":
    unittest.main(verbosity=2)
