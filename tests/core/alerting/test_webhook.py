"""The signature by a published example, which addresses are refused, and that no receiver holds the sender."""

import base64
import socket
import threading
import time
from pathlib import Path

import pytest

from core.alerting import webhook
from core.alerting.webhook import checked_url, send_webhook, signature
from core.alerting.webhook_secret import webhook_secret
from core.errors import NotDeliveredError, SettingsError, UsageError
from core.settings import Settings

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()


def test_the_signature_is_that_of_the_scheme_s_published_example() -> None:
    """The specification's test vector, which its libraries check themselves by."""
    found = signature(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        message_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        timestamp=1614265330,
        body=b'{"test": 2432232314}',
    )
    assert found == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_secret_follows_from_key_and_subscription_and_from_nothing_stored(tmp_path: Path) -> None:
    here, there = (Settings(home=tmp_path / name) for name in ("here", "there"))
    secrets = [webhook_secret(here, each) for each in (1, 2, 3)]
    assert secrets == [webhook_secret(here, each) for each in (1, 2, 3)]
    assert len({*secrets, webhook_secret(there, 1)}) == 4
    assert all(len(base64.b64decode(each.removeprefix("whsec_"))) == 32 for each in secrets)
    key = tmp_path / "here" / "webhook.key"
    assert key.stat().st_mode & 0o077 == 0
    key.chmod(0o644)
    with pytest.raises(SettingsError, match="Others may read the webhook key"):
        webhook_secret(here, 1)


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example.org/x", "ftp://hooks.example.org", "https://", "hooks.example.org", "",
        "https://user:word@hooks.example.org", "https://hooks.example.org:99999/", "https://[half/",
        "https://hooks.example.org/a b", "https://hooks.example.org/a\nb", "http://localhost:8080/",
        "https://10.1.2.3/x", "https://127.0.0.1/", "https://[::1]:8443/", "https://169.254.169.254/latest",
        "https://localhost/x",
    ],
)  # fmt: skip
def test_an_address_that_no_webhook_may_have_is_refused_in_words(url: str) -> None:
    with pytest.raises(UsageError, match="webhook's address"):
        checked_url(url, private_hosts=())


def test_localhost_without_tls_passes_only_where_the_settings_name_it() -> None:
    assert checked_url("http://localhost:8080/x", private_hosts=("localhost",)).port == 8080
    with pytest.raises(UsageError):
        checked_url("http://intern.example.org/x", private_hosts=("localhost", "intern.example.org"))


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "192.168.0.7", "172.16.0.1", "169.254.169.254", "0.0.0.1", "100.64.0.1", "224.0.0.1",
        "::1", "fe80::1", "fd00::1", "::ffff:10.1.2.3",
    ],
)  # fmt: skip
def test_a_host_with_one_address_that_is_not_public_is_refused(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, 443)) for each in ("93.184.215.14", address)]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_a, **_k: entries)
    with pytest.raises(NotDeliveredError, match="private address") as refused:
        send_webhook("https://hooks.example.org/", b"{}", secret=SECRET, message_id="m", private_hosts=())
    assert refused.value.is_final


def test_a_receiver_that_answers_one_letter_at_a_time_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "TIMEOUT_S", 0.6)
    is_over = threading.Event()

    def drip(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            for letter in b"HTTP/1.1 200 OK\r\nx-slow: " + b"x" * 400:
                if is_over.wait(0.1):
                    return
                try:
                    connection.send(bytes([letter]))
                except OSError:
                    return

    with socket.create_server(("localhost", 0)) as listener:
        thread = threading.Thread(target=drip, args=(listener,))
        thread.start()
        began_s = time.monotonic()
        with pytest.raises(NotDeliveredError, match="does not answer as it should"):
            send_webhook(
                f"http://localhost:{listener.getsockname()[1]}/", b"{}", secret=SECRET, message_id="m",
                private_hosts=("localhost",),
            )  # fmt: skip
        took_s = time.monotonic() - began_s
        is_over.set()
        thread.join()
    assert took_s < 8, "every letter came in time, the whole did not"
