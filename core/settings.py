"""Every setting, read once from the environment (OCTAUDIT_...) and passed on. Unset means the embedded default.

Nothing here touches disk, network or GPU. docs/settings.md lists each field; a test compares them.
"""

import os
from datetime import timedelta
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from core.errors import SettingsError
from core.vocabulary import ScanKind


def default_home() -> Path:
    """Where the embedded servers, blobs and uploads live when OCTAUDIT_HOME is unset.

    As root it is /var/lib/octaudit, because PostgreSQL must run as another account, to which root's home is
    closed.
    """
    if os.geteuid() == 0:
        return Path("/var/lib/octaudit")
    return Path.home() / ".local" / "share" / "octaudit"


class Settings(BaseSettings):
    """All settings. Durations are timedeltas; sizes carry their unit in the name."""

    model_config = SettingsConfigDict(
        env_prefix="OCTAUDIT_", frozen=True, extra="ignore", use_attribute_docstrings=True
    )

    home: Path = Field(default_factory=default_home)
    """Folder of the embedded servers, the blobs and the uploads."""
    database_admin_url: SecretStr | None = None
    """postgresql+psycopg://... of a role that may create roles and databases; used by `octaudit database init` only."""
    database_owner_url: SecretStr | None = None
    """URL of the owner role, which owns the tables; used by migrations and by the operator's commands."""
    database_dashboard_url: SecretStr | None = None
    """URL of the dashboard role, held by row-level security."""
    database_worker_url: SecretStr | None = None
    """URL of the worker role."""
    database_sealer_url: SecretStr | None = None
    """URL of the sealer role, which chains the audit trail; used by the keeper."""
    audit_key_file: Path | None = None
    """File with the key of the audit chain, readable by the keeper alone; unset: HOME/audit.key, made when missing."""
    audit_anchor_file: Path | None = None
    """Append-only file, outside the database, with the heads of the audit chain; unset: HOME/audit.anchor."""
    audit_check_interval: timedelta = timedelta(days=1)
    """How often the keeper recomputes the whole audit chain; the page Audit shows what it found."""
    redis_url: SecretStr | None = None
    """Celery broker, e.g. redis://redis:6379/0; unset: the embedded server's socket."""
    blob_url: str | None = None
    """fsspec URL of the blob store, e.g. s3://bucket/octaudit; unset: HOME/blobs."""
    dashboard_host: str = "127.0.0.1"
    """Address the dashboard listens on."""
    dashboard_port: int = 8501
    """Port the dashboard listens on; `octaudit up` takes the next free one if it is taken."""
    secure_cookies: bool = False
    """True behind HTTPS: the session cookie is sent over TLS only."""
    metrics_token: SecretStr | None = None
    """Bearer token with which Prometheus reads /metrics; unset: only signed-in administrators may."""
    session_idle_timeout: timedelta = timedelta(hours=2)
    """A session unused for this long is ended."""
    session_lifetime: timedelta = timedelta(hours=12)
    """A session ends after this long, used or not."""
    oidc_issuer: str | None = None
    """OpenID provider through which people may sign in, e.g. https://login.example.org; unset: passwords only."""
    oidc_client_id: str = "octaudit"
    """Our client there; its redirect address is PUBLIC_URL/login/oidc/back."""
    oidc_client_secret: SecretStr | None = None
    """Its secret; after a change run `octaudit identity trust`."""
    oidc_label: str = "Sign in with your organisation"
    """What the link on the sign-in form says."""
    worker_device: str = "auto"
    """cpu, cuda, or auto: cuda where there is one."""
    worker_batch_size: int = Field(default=16, ge=1, le=512)
    """Scans claimed and scored together."""
    worker_lease: timedelta = timedelta(minutes=2)
    """A claimed scan whose lease is not renewed for this long goes back to the queue."""
    worker_sweep_interval: timedelta = timedelta(seconds=30)
    """How often a worker looks for work without being told."""
    worker_batch_timeout: timedelta = timedelta(minutes=5)
    """A batch that takes longer is taken to hang: its lease is no longer renewed and its process is ended."""
    worker_lanes: tuple[ScanKind, ...] = tuple(ScanKind)
    """Lanes this worker serves, as a JSON list, e.g. ["octa-enface"]."""
    worker_max_losses: int = Field(default=3, ge=1, le=10)
    """A scan is quarantined when this many workers died or hung while they scored it."""
    worker_max_failures: int = Field(default=5, ge=1, le=10)
    """A scan is given up as failed after this many failures that left the worker alive; pauses between tries grow."""
    upload_max_file_mb: int = Field(default=500, ge=1)
    """A larger uploaded file is refused while streaming, in megabytes (10^6 bytes)."""
    upload_max_files: int = Field(default=2000, ge=1)
    """Files per batch, counted inside zips too."""
    api_requests_per_minute: int = Field(default=600, ge=1)
    """Requests that one client of the API may send in a minute; more are answered with 429."""
    image_max_megapixels: float = Field(default=50.0, gt=0)
    """An image with more pixels (10^6) is refused before it is decoded."""
    public_url: str | None = None
    """Address of the dashboard as people reach it, e.g. https://octaudit.example.org; unset: no links in messages."""
    alert_interval: timedelta = timedelta(minutes=5)
    """How often the keeper looks for flagged units, overdue requests and stalled queues."""
    alert_weeks: int = Field(default=26, ge=1, le=520)
    """Whole weeks over which units are judged for an alert; 26 is the page Sites & devices without a choice."""
    alert_queue_patience: timedelta = timedelta(hours=1)
    """A queue is stalled where a scan has waited longer than this and none was scored in that time."""
    alert_digest_hour: int = Field(default=6, ge=0, le=23)
    """Hour of the day (UTC) at which daily digests of alerts are sent."""
    smtp_host: str | None = None
    """Mail server for alerts; unset: no mail is sent, and the page Alerts says so. For keeper and dashboard alike."""
    smtp_port: int = Field(default=587, ge=1, le=65535)
    """Its port."""
    smtp_security: Literal["starttls", "tls", "none"] = "starttls"
    """starttls (port 587), tls from the first byte (465), or none: for a mail server on this machine."""
    smtp_user: str | None = None
    """Login at the mail server; unset: without login."""
    smtp_password: SecretStr | None = None
    """Password at the mail server."""
    smtp_sender: str = "octaudit@localhost"
    """Address that alerts come from."""
    webhook_private_hosts: tuple[str, ...] = ()
    """Hosts with private addresses that webhooks may reach, as a JSON list; all others with such addresses are refused.
    localhost in it may be reached without TLS, for tests."""
    webhook_key_file: Path | None = None
    """File with the key from which the secrets of webhooks are worked out, shared by keeper and dashboard; unset:
    HOME/webhook.key, made when missing."""
    dicom_key_file: Path | None = None
    """File with the key that seals the UIDs of DICOM objects, for the dashboard and the operator's commands; unset:
    HOME/dicom.key, made when missing. Without it no DICOM results can be made of scans received before."""
    alert_keep: timedelta = timedelta(days=365)
    """Alerts that ended longer ago than this are removed, with what was sent about them."""
    log_level: str = "INFO"
    """Python logging level."""
    model: str = "bundled"
    """Model for the OCTA lane: bundled, or the path of a .safetensors file with its card beside it."""


def load_settings(**overrides: object) -> Settings:
    """Settings from the environment, with overrides for tests and command-line options.

    Raises
    ------
    SettingsError
        A value is not of its setting's form; the message names every such variable.
    """
    try:
        return Settings(**overrides)  # type: ignore[arg-type]
    except ValidationError as error:
        faults = "; ".join(f"OCTAUDIT_{str(fault['loc'][0]).upper()}: {fault['msg']}" for fault in error.errors())
        raise SettingsError(
            f"Wrong settings: {faults}.", remedy="docs/settings.md says what each setting takes."
        ) from None


__all__ = ["Settings", "default_home", "load_settings"]
