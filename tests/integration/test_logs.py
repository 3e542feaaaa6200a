#!/usr/bin/env python3
"""The log of a node that runs: in JSON each line is an object, with fields for what it is about; in text each line is
one event. With a Kafka and a Redis of its own."""
import json
import pathlib
import re
import tempfile
import unittest

import kafka_services  # noqa: F401  (the paths)

from freshet_process import FreshetProcess, wait_until

CONFIG = """
log: {format: %s}
kafka: {brokers: embedded}
redis: {address: embedded}
lookup: {listen: "127.0.0.1:0"}
metrics: {listen: "127.0.0.1:0"}
sources:
  orders: {topic: orders, time: {field: ts, format: unix_ms}, fields: {store: string}}
views:
  totals:
    source: orders
    entity: store
    features: {count_1h: {count: "*", window: 1h}}
"""
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


class Logs(unittest.TestCase):
    def lines_of(self, log_format):
        """Of a node from its start to its end, when it has counted on all four partitions."""
        with tempfile.TemporaryDirectory(prefix="freshet-logs-") as folder:
            config, log = pathlib.Path(folder, "node.yaml"), pathlib.Path(folder, "node.log")
            config.write_text(CONFIG % log_format)
            with FreshetProcess(["run", "-c", str(config)], log):
                wait_until(lambda: log.read_text().count("consuming from offset 0") == 4, 60, "all partitions begin")
            return log.read_text().splitlines()

    def test_json(self):
        lines = [json.loads(line) for line in self.lines_of("json")]
        for line in lines:
            self.assertEqual(list(line)[:3], ["time", "level", "message"])
            self.assertRegex(line["time"], f"^{TIME}$")
            self.assertIn(line["level"], ("info", "warning", "error"))
        begun = [line for line in lines if "consuming from offset" in line["message"]]
        self.assertEqual({(line["topic"], line["partition"], line["offset"]) for line in begun},
                         {("orders", partition, 0) for partition in range(4)})
        for line in begun:
            self.assertIn(f"under epoch {line['epoch']}", line["message"])
        self.assertEqual(list(lines[-1]), ["time", "level", "message"])
        self.assertEqual(lines[-1]["message"], "stopped")

    def test_text(self):
        lines = self.lines_of("text")
        for line in lines:
            self.assertRegex(line, f"^{TIME} (info|warning|error) ")
        self.assertTrue(any(re.search(r"info orders/0: consuming from offset 0 ", line) for line in lines))


if __name__ == "__main__":
    unittest.main(verbosity=2)
