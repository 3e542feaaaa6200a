"""Asks the site of a node, as browsers, Prometheus and health checks do.

    site = Site(node.ready["metrics"])
    site.get("/readyz").status                          # 200
    site.json("/api/lookup", view="a", entity="b")      # (200, {...})
"""
import base64
import dataclasses
import http.client
import json
import ssl
import urllib.parse


@dataclasses.dataclass
class Answer:
    status: int
    headers: dict       # by names in lower case
    body: bytes

    @property
    def text(self):
        return self.body.decode()


class Site:
    """`user`: (name, password). `ca`: a file that vouches for the node; the site is then asked by TLS."""

    def __init__(self, address, user=None, ca=None, timeout=30.0):
        self.host, _, port = address.rpartition(":")
        self.port = int(port)
        self._headers = {}
        if user:
            self._headers["Authorization"] = "Basic " + base64.b64encode(":".join(user).encode()).decode()
        self._tls = ssl.create_default_context(cafile=ca) if ca else None
        self._timeout = timeout

    def get(self, path, method="GET", headers=(), **query):
        if self._tls:
            connection = http.client.HTTPSConnection(self.host, self.port, timeout=self._timeout, context=self._tls)
        else:
            connection = http.client.HTTPConnection(self.host, self.port, timeout=self._timeout)
        try:
            if query:
                path += "?" + urllib.parse.urlencode(query, doseq=True)
            connection.request(method, path, headers=self._headers | dict(headers))
            reply = connection.getresponse()
            return Answer(reply.status, {k.lower(): v for k, v in reply.getheaders()}, reply.read())
        finally:
            connection.close()

    def json(self, path, **query):
        """The status, and what came."""
        answer = self.get(path, **query)
        return answer.status, json.loads(answer.body)
