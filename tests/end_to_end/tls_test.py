#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""umcg-httpd over TLS with the clients that there are: those of OpenSSL, GnuTLS and NSS, curl,
Python; sessions that are resumed, certificates of clients, names, reloading, and peers that speak
something else.

Usage: tls_test.py PROGRAM
"""

import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import httpd_under_test
from httpd_under_test import Httpd, read_response, read_to_end, request

PROGRAM = sys.argv.pop(1)
CLIENT_SECONDS_MAX = 30
BODY = b"Hello, World!"
httpd_under_test.READY = re.compile(r"umcg-httpd listening on https://(\S+):(\d+)/ \(\S.*\)\n")
ALERT_RECORD = 21


def run(command, said=b"", folder=None):
    """The output of a client, and its exit status."""
    if not shutil.which(command[0]):
        raise unittest.SkipTest(f"{command[0]} is not installed")
    done = subprocess.run(command, input=said, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          check=False, timeout=CLIENT_SECONDS_MAX, cwd=folder)
    return done.stdout, done.returncode


class Authority:
    """Issues certificates into a folder, as NAME.pem and NAME.key."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                     "-nodes", "-days", "2", "-subj", "/CN=issuer", "-keyout", "ca.key", "-out",
                     "ca.pem")

    def openssl(self, *words):
        said, status = run(["openssl", *words], folder=self.folder)
        if status != 0:
            raise AssertionError(said.decode())
        return said

    def path(self, name):
        return str(self.folder / name)

    def issue(self, name, alternatives, key=("ec", "-pkeyopt", "ec_paramgen_curve:P-256")):
        (self.folder / "extensions").write_text(f"subjectAltName={alternatives}\n")
        self.openssl("req", "-newkey", *key, "-nodes", "-subj", f"/CN={name}", "-keyout",
                     f"{name}.key", "-out", "request")
        self.openssl("x509", "-req", "-in", "request", "-CA", "ca.pem", "-CAkey", "ca.key",
                     "-CAcreateserial", "-days", "2", "-extfile", "extensions", "-out",
                     f"{name}.pem")

    def staple(self, name):
        """An OCSP response that says that the certificate is good."""
        serial = self.openssl("x509", "-in", f"{name}.pem", "-noout", "-serial")
        number = serial.decode().strip().partition("=")[2]
        (self.folder / "index").write_text(
            f"V\t401231235959Z\t\t{number}\tunknown\t/CN={name}\n")
        self.openssl("ocsp", "-index", "index", "-CA", "ca.pem", "-rsigner", "ca.pem", "-rkey",
                     "ca.key", "-issuer", "ca.pem", "-cert", f"{name}.pem", "-respout",
                     f"{name}.ocsp", "-ndays", "1", "-noverify")


def setUpModule():
    folder = tempfile.TemporaryDirectory()
    unittest.addModuleCleanup(folder.cleanup)
    Tls.issuer = Authority(folder.name)
    Tls.issuer.issue("first", "DNS:first.example,DNS:localhost,IP:127.0.0.1")
    Tls.issuer.issue("changing", "DNS:localhost")
    Tls.issuer.issue("wild", "DNS:*.sub.example", ("rsa:2048",))
    Tls.issuer.issue("alice", "email:alice@example.com")
    Tls.issuer.staple("first")


class Tls(unittest.TestCase):
    first = "first"
    options = ""

    @classmethod
    def setUpClass(cls):
        path = cls.issuer.path
        cls.server = Httpd(PROGRAM, "--servers", "2", configuration=(
            "[tls]\n"
            f"certificate = ['{path(cls.first + '.pem')}', '{path('wild.pem')}']\n"
            f"key = ['{path(cls.first + '.key')}', '{path('wild.key')}']\n"
            + cls.options.format(cls.issuer.folder)))
        cls.addClassCleanup(cls.server.__exit__)

    def tearDown(self):
        self.assertIsNone(self.server.child.poll(), "the server has ended")

    def where(self):
        return f"127.0.0.1:{self.server.port}"

    def url(self, path="/plaintext"):
        return f"https://{self.where()}{path}"

    def s_client(self, *options):
        """What OpenSSL's client says about one request."""
        said, _ = run(["openssl", "s_client", "-connect", self.where(), "-CAfile",
                       self.issuer.path("ca.pem"), "-ign_eof", *options],
                      request("/plaintext", "Connection: close"), self.issuer.folder)
        return said.decode(errors="replace")

    def trusting(self):
        return ssl.create_default_context(cafile=self.issuer.path("ca.pem"))

    def connect(self, context=None, name="localhost"):
        return (context or self.trusting()).wrap_socket(self.server.connect(),
                                                        server_hostname=name)


class Clients(Tls):
    options = "ocsp_staple = '{}/first.ocsp'\n"

    def test_openssl_resumes_its_sessions(self):
        for version in ("-tls1_2", "-tls1_3"):
            for ticket in ((), ("-no_ticket",)) if version == "-tls1_2" else ((),):
                with self.subTest(version=version, ticket=ticket):
                    said = self.s_client(version, *ticket, "-sess_out", "session")
                    self.assertRegex(said, r"(?m)^New, TLSv")
                    self.assertIn("Hello, World!", said)
                    for _ in range(2):
                        said = self.s_client(version, *ticket, "-sess_in", "session")
                        self.assertRegex(said, r"(?m)^Reused, TLSv")
                        self.assertIn("Hello, World!", said)

    def test_openssl_is_told_what_it_asks_for(self):
        said = self.s_client("-status", "-alpn", "h2,http/1.1", "-servername", "first.example")
        self.assertIn("Verify return code: 0 (ok)", said)
        self.assertIn("ALPN protocol: http/1.1", said)
        self.assertIn("OCSP Response Status: successful", said)
        self.assertIn("Cert Status: good", said)
        said = self.s_client("-servername", "a.sub.example")
        self.assertIn("subject=CN = wild", said)
        self.assertIn("Compression: NONE", said)

    def test_openssl_may_not_ask_for_what_is_old(self):
        for refused in (("-tls1_1", "-cipher", "ALL:@SECLEVEL=0"), ("-alpn", "h2"),
                        ("-tls1_2", "-cipher", "AES128-SHA")):
            said = self.s_client(*refused)
            self.assertIn("alert", said, refused)
            self.assertNotIn("Hello", said)

    def test_gnutls(self):
        for priority in ("NORMAL:-VERS-ALL:+VERS-TLS1.2", "NORMAL:-VERS-ALL:+VERS-TLS1.3"):
            said, status = run(["gnutls-cli", "--x509cafile", self.issuer.path("ca.pem"),
                                "--priority", priority, "--sni-hostname", "first.example",
                                "--verify-hostname", "first.example", "--resume", "--port",
                                str(self.server.port), "127.0.0.1"],
                               request("/plaintext", "Connection: close"))
            self.assertEqual(status, 0, said)
            self.assertIn(b"*** This is a resumed session", said)
            self.assertIn(BODY, said)

    def test_nss(self):
        trust = f"sql:{self.issuer.path('nss')}"
        (self.issuer.folder / "nss").mkdir()
        (self.issuer.folder / "request").write_bytes(request("/plaintext", "Connection: close"))
        for words in (["-N", "--empty-password"],
                      ["-A", "-n", "issuer", "-t", "C,,", "-i", self.issuer.path("ca.pem")]):
            self.assertEqual(run(["certutil", "-d", trust, *words]), (b"", 0))
        client = ["tstclnt", "-4", "-h", "127.0.0.1", "-p", str(self.server.port), "-d", trust,
                  "-u", "-A", self.issuer.path("request"), "-a"]
        for version in ("tls1.2", "tls1.3"):
            said, status = run([*client, "first.example", "-V", f"{version}:{version}", "-L", "2"])
            self.assertEqual(status, 0, said)
            self.assertEqual(said.count(BODY), 2, said)
            self.assertIn(b"1 stateless resumes", said)
        said, status = run([*client, "other.example"])
        self.assertNotEqual(status, 0)
        self.assertIn(b"SSL_ERROR_BAD_CERT_DOMAIN", said)

    def test_curl(self):
        curl = ["curl", "-sS", "--fail", "--cacert", self.issuer.path("ca.pem")]
        self.assertEqual(run([*curl, self.url()]), (BODY, 0))
        body = "a" * 300_000
        said = run([*curl, "--data-binary", "@-", self.url("/echo")], body.encode())
        self.assertEqual(said, (body.encode(), 0))
        said, status = run([*curl, "--no-progress-meter", "--parallel", "--parallel-max", "32",
                            "--parallel-immediate", self.url("/plaintext?[1-300]")])
        self.assertEqual((said, status), (BODY * 300, 0))

    def test_python_hears_goodbye(self):
        with self.connect() as peer:
            peer.sendall(request() + request("/plaintext", "Connection: close"))
            received = read_to_end(peer)  # raises where close_notify is missing
        self.assertEqual(received.count(BODY), 2)

    def test_a_wrong_name_is_the_clients_to_refuse(self):
        with self.assertRaises(ssl.SSLCertVerificationError):
            self.connect(name="other.example")


class Peers(Tls):
    """Who speaks no TLS, or stops in the middle, harms nobody."""

    def hello(self):
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        with self.assertRaises(ssl.SSLWantReadError):
            self.trusting().wrap_bio(incoming, outgoing, server_hostname="localhost").do_handshake()
        return outgoing.read()

    def test_bad_handshakes_disturb_nobody(self):
        hello = self.hello()
        with self.connect() as good:
            silent = [self.server.connect() for _ in range(20)]
            for number, peer in enumerate(silent):
                peer.sendall(hello[:number * len(hello) // 20])
            for at in range(5, len(hello), 17):
                peer = self.server.connect()
                peer.sendall(hello[:at] + bytes([hello[at] ^ 255]) + hello[at + 1:])
                peer.shutdown(socket.SHUT_WR)
                read_to_end(peer)
                good.sendall(request())
                self.assertIn(BODY, read_response(good))
            peer = self.server.connect()
            peer.sendall(request())
            peer.shutdown(socket.SHUT_WR)
            self.assertEqual(read_to_end(peer), b"")
            good.sendall(request())
            self.assertIn(BODY, read_response(good))

    def test_a_broken_record_gets_an_alert(self):
        peer = self.connect()
        peer.sendall(request())
        self.assertIn(BODY, read_response(peer))
        with socket.socket(fileno=peer.detach()) as bare:
            bare.settimeout(CLIENT_SECONDS_MAX)
            bare.sendall(b"\x17\x03\x03\x00\x20" + bytes(32))
            bare.shutdown(socket.SHUT_WR)
            last = read_to_end(bare)
        # Encrypted, as all of TLS 1.3 is: an alert is 19 bytes of a record.
        self.assertEqual(len(last) - 5, 19)

    def test_an_alert_says_what_is_wrong(self):
        peer = self.server.connect()
        peer.sendall(b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00")
        peer.shutdown(socket.SHUT_WR)
        self.assertEqual(read_to_end(peer)[0], ALERT_RECORD)


class ClientCertificates(Tls):
    options = "client_ca = '{}/ca.pem'\nclient_certificates = 'require'\n"

    def test_a_good_one_is_let_in(self):
        for version in ("-tls1_2", "-tls1_3"):
            said = self.s_client(version, "-cert", "alice.pem", "-key", "alice.key")
            self.assertIn("Hello, World!", said)

    def test_none_and_a_strangers_get_an_alert(self):
        with tempfile.TemporaryDirectory() as folder:
            stranger = Authority(folder)
            stranger.issue("mallory", "email:alice@example.com")
            for version in ("-tls1_2", "-tls1_3"):
                for shown in ((), ("-cert", stranger.path("mallory.pem"), "-key",
                                   stranger.path("mallory.key"))):
                    said = self.s_client(version, *shown)
                    self.assertIn("alert", said)
                    self.assertNotIn("Hello", said)


class Reloading(Tls):
    first = "changing"

    def test_connections_go_on(self):
        before = self.connect()
        self.issuer.issue("changing", "DNS:localhost,DNS:new.example")
        self.server.child.send_signal(signal.SIGHUP)
        self.assertRegex(self.server.child.stderr.readline(), "certificates reloaded\n")
        with self.connect(name="new.example") as after:
            self.assertNotEqual(before.getpeercert(True), after.getpeercert(True))
            for peer in before, after:
                peer.sendall(request())
                self.assertIn(BODY, read_response(peer))
        (self.issuer.folder / "changing.key").write_text("junk")
        self.server.child.send_signal(signal.SIGHUP)
        line = self.server.child.stderr.readline()
        self.assertIn("certificates not reloaded: ", line)
        self.assertIn(self.issuer.path("changing.key"), line)
        with self.connect(name="new.example") as peer:
            peer.sendall(request())
            self.assertIn(BODY, read_response(peer))
        before.close()


class Shutdown(Tls):
    def test_idle_connections_hear_goodbye(self):
        with self.connect() as idle:
            idle.sendall(request())
            self.assertIn(BODY, read_response(idle))
            self.server.terminate()
            self.assertEqual(read_to_end(idle), b"")  # raises where close_notify is missing
        self.assertEqual(self.server.wait()[0], 0)

    def tearDown(self):
        pass  # the server has ended, and should


class BadConfiguration(Tls):
    def test_a_key_of_another_certificate(self):
        file = self.issuer.folder / "bad.toml"
        file.write_text(f"servers = 1\n[tls]\ncertificate = '{self.issuer.path('first.pem')}'\n"
                        f"key = '{self.issuer.path('alice.key')}'\n")
        said, status = run([PROGRAM, "--config", str(file), "--check"])
        self.assertEqual(status, 1)
        self.assertIn(f"{file}:2: tls: {self.issuer.path('alice.key')} is not the key of the "
                      f"certificate in {self.issuer.path('first.pem')}: ", said.decode())


if __name__ == "__main__":
    unittest.main()
