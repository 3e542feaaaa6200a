"""Certificates for tests, made by openssl: an authority, and what it signs for servers and clients."""
import subprocess

KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]


def _openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


class Authority:
    """`pem` is its own certificate; what it signs are NAME.pem and NAME.key in the folder."""

    def __init__(self, folder, name="ca"):
        self.folder = folder
        self.pem, self._key = folder / f"{name}.pem", folder / f"{name}.key"
        _openssl("req", "-x509", *KEY, "-days", 2, "-subj", f"/CN={name}", "-keyout", self._key, "-out", self.pem)

    def sign(self, name, names="IP:127.0.0.1", days=2):
        """`names`: as in subjectAltName. With `days` below zero it expired so many days ago."""
        request, extensions = self.folder / f"{name}.csr", self.folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName={names}\n")
        _openssl("req", *KEY, "-subj", f"/CN={name}", "-keyout", self.folder / f"{name}.key", "-out", request)
        _openssl("x509", "-req", "-in", request, "-CA", self.pem, "-CAkey", self._key, "-CAcreateserial", "-days", days,
                 "-extfile", extensions, "-out", self.folder / f"{name}.pem")
        return self

    def redis_options(self, name, clients="yes"):
        """For a redis-server that shows NAME, and asks its clients for certificates of the authority."""
        return ["--tls-cert-file", str(self.folder / f"{name}.pem"), "--tls-key-file", str(self.folder / f"{name}.key"),
                "--tls-ca-cert-file", str(self.pem), "--tls-auth-clients", clients]
