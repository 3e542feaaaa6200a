"""Users and TLS, by threads and by asyncio."""
import asyncio
import pathlib
import shutil
import subprocess
import tempfile
import unittest

from lab import PATIENT, FreshetProcess

import freshet
import freshet.aio

CONFIG = """
kafka: {brokers: embedded}
redis: {address: embedded}
metrics: {listen: "127.0.0.1:0"}
lookup:
  listen: "127.0.0.1:0"
  users:
    default: {password: "all of it", views: ["*"]}
    ranker: {password: some, views: [totals]}
  tls: {certificate: node.pem, key: node.key}
sources:
  orders: {topic: orders, time: kafka, fields: {store: string, amount: int}}
views:
  totals: {source: orders, entity: store, features: {n: {count: "*", window: 1h}}}
  secret: {source: orders, entity: store, features: {sum: {sum: amount, window: 1h}}}
services:
  both: [totals.n, secret.sum]
"""


def setUpModule():
    folder = Access.folder = pathlib.Path(tempfile.mkdtemp(prefix="freshet-access-"))
    unittest.addModuleCleanup(shutil.rmtree, folder, ignore_errors=True)
    for name in ("node", "other"):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days",
                        "2", "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout",
                        folder / f"{name}.key", "-out", folder / f"{name}.pem"], check=True, capture_output=True)
    (folder / "config.yaml").write_text(CONFIG)
    node = FreshetProcess(["run", "-c", str(folder / "config.yaml")], folder / "node.log")
    unittest.addModuleCleanup(node.kill)
    Access.address = node.ready["lookup"]


class Access(unittest.TestCase):
    folder = None
    address = None

    def options(self, username="ranker", password="some", ca="node", **more):
        return {"username": username, "password": password, "tls": freshet.Tls(str(self.folder / f"{ca}.pem"))} | PATIENT | more

    def client(self, **changes):
        client = freshet.Client(self.address, **self.options(**changes))
        self.addCleanup(client.close)
        return client

    def test_a_user_reads_its_views(self):
        client = self.client()
        self.assertEqual(client.views(), ["totals"])
        self.assertEqual(dict(client.get("totals", "a")), {"n": None})
        self.assertRaisesRegex(freshet.NotAllowed, "may not read view secret", client.get, "secret", "a")
        self.assertRaisesRegex(freshet.NotAllowed, "may not read view secret", client.vector, "both", [{"store": "a"}])
        self.assertEqual(client.services(), [])
        everything = self.client(username="default", password="all of it")
        self.assertEqual(len(everything.vector("both", [{"store": "a"}])), 1)

    def test_who_is_not_known_is_refused_at_once(self):
        for changes in ({"password": "no"}, {"username": "nobody"}, {"password": None}):
            self.assertRaises(freshet.NotAllowed, self.client(**changes).views)

    def test_a_node_that_nobody_vouches_for_is_not_told_the_password(self):
        client = self.client(ca="other", attempts=2)
        self.assertRaisesRegex(freshet.Unavailable, "certificate verify failed", client.views)

    def test_the_same_by_asyncio(self):
        async def run():
            async with freshet.aio.Client(self.address, **self.options()) as client:
                self.assertEqual(await client.views(), ["totals"])
                with self.assertRaises(freshet.NotAllowed):
                    await client.get("secret", "a")
            async with freshet.aio.Client(self.address, **self.options(password="no")) as client:
                with self.assertRaises(freshet.NotAllowed):
                    await client.views()
        asyncio.run(run())


if __name__ == "__main__":
    unittest.main()
