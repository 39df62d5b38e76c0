"""What a cloud's client must know before it can ask: endpoint, region, keys; and what to say when one is missing."""

from __future__ import annotations

import os
from collections.abc import Mapping
from configparser import ConfigParser, Error
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from pinyon.errors import SpecError, StoreError
from pinyon.store.backends.shared import check_options

_S3_KEYS = ("access_key_id", "secret_access_key", "session_token")
_S3_FROM_ENVIRONMENT = (
    "AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_SKIP_SIGNATURE",
)  # fmt: skip
_GS_FROM_ENVIRONMENT = (
    "GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_SERVICE_ACCOUNT", "GOOGLE_SERVICE_ACCOUNT_PATH",
    "GOOGLE_SERVICE_ACCOUNT_KEY", "GOOGLE_SKIP_SIGNATURE",
)  # fmt: skip
_AZ_FROM_ENVIRONMENT = (
    "AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_ACCESS_KEY", "AZURE_STORAGE_SAS_KEY", "AZURE_STORAGE_SAS_TOKEN",
    "AZURE_STORAGE_TOKEN", "AZURE_STORAGE_CLIENT_SECRET", "AZURE_CLIENT_SECRET", "AZURE_FEDERATED_TOKEN_FILE",
    "AZURE_USE_AZURE_CLI", "AZURE_SKIP_SIGNATURE", "AZURE_STORAGE_USE_EMULATOR",
)  # fmt: skip
_GOOGLE_LOGIN = "~/.config/gcloud/application_default_credentials.json"
_MACHINE = "/sys/class/dmi/id/sys_vendor"  # says who rents this machine out

OPTIONS = {
    "s3": ("endpoint", "region", *_S3_KEYS, "profile", "anonymous"),
    "gs": ("service_account", "anonymous"),
    "az": ("account", "key", "sas", "endpoint", "anonymous"),
}


class Bucket(NamedTuple):
    """A place in a cloud, and how its client is told of it (the names of obstore's own settings)."""

    scheme: str
    name: str
    prefix: str
    settings: Mapping[str, str | bool]

    @property
    def url(self) -> str:
        """Without a secret."""
        return f"{self.scheme}://{self.name}/{self.prefix}".rstrip("/")


def bucket_of(url: str, options: Mapping[str, str]) -> Bucket:
    """The bucket that a URL and its options name.

    Raises:
        SpecError: the URL names none, or an option is unknown.
        StoreError: nothing says who we are, or where an S3 bucket lies.
    """
    parts = urlsplit(url)
    scheme, prefix = parts.scheme.lower(), parts.path.strip("/")
    check_options(scheme, options, OPTIONS[scheme])
    if not parts.netloc or "@" in parts.netloc or parts.query or parts.fragment or "//" in parts.path:
        raise SpecError(
            f"'{url.split('?')[0]}' names no bucket",
            why=f"it must read {scheme}://BUCKET or {scheme}://BUCKET/PREFIX",
            next="correct it; keys and endpoints are options (docs/stores.md)",
        )
    settings = {"s3": _s3, "gs": _gs, "az": _az}[scheme](options, f"{scheme}://{parts.netloc}")
    return Bucket(scheme, parts.netloc, prefix, settings)


def _s3(options: Mapping[str, str], url: str) -> dict[str, str | bool]:
    profile = _profile(options.get("profile") or os.environ.get("AWS_PROFILE", ""))
    given: dict[str, str | bool] = {name: options[name] for name in _S3_KEYS if options.get(name)}
    if _is_on(options, "anonymous"):
        given = {"skip_signature": True}
    elif given or "profile" in options or not _any_of(_S3_FROM_ENVIRONMENT):
        given = given or {name: profile[f"aws_{name}"] for name in _S3_KEYS if f"aws_{name}" in profile}
        if not given and not _is_rented_from("Amazon EC2"):
            raise _unknown_user(url, "access_key_id and secret_access_key", _S3_FROM_ENVIRONMENT[0])
        half = [name for name in _S3_KEYS[:2] if given and name not in given]
        if half:
            raise _unknown_user(url, half[0], f"AWS_{half[0].upper()}")
    elif "AWS_ACCESS_KEY_ID" in os.environ and "AWS_SECRET_ACCESS_KEY" not in os.environ:
        raise _unknown_user(url, "secret_access_key", "AWS_SECRET_ACCESS_KEY")
    endpoint = options.get("endpoint") or _first_of("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
    endpoint = endpoint or profile.get("endpoint_url", "")
    region = (
        options.get("region") or _first_of("AWS_REGION", "AWS_DEFAULT_REGION") or profile.get("region", "")
    )
    if endpoint:
        return {**given, "endpoint": _checked(endpoint, url), "region": region or "auto"}
    if not region:
        raise StoreError(
            "nothing says in which region this bucket lies, or at which endpoint",
            where=url,
            why="S3 is asked at another address for each region",
            next="set the option region or AWS_REGION; for R2 and others the option endpoint or AWS_ENDPOINT_URL",
        )
    return {**given, "region": region}


def _gs(options: Mapping[str, str], url: str) -> dict[str, str | bool]:
    if _is_on(options, "anonymous"):
        return {"skip_signature": True}
    if file := options.get("service_account"):
        return {"service_account": os.path.expanduser(file)}
    known = _any_of(_GS_FROM_ENVIRONMENT) or os.path.exists(os.path.expanduser(_GOOGLE_LOGIN))
    if not known and not _is_rented_from("Google"):
        raise _unknown_user(url, "service_account (a file)", "GOOGLE_APPLICATION_CREDENTIALS")
    return {}


def _az(options: Mapping[str, str], url: str) -> dict[str, str | bool]:
    account = options.get("account") or _first_of("AZURE_STORAGE_ACCOUNT_NAME")
    if not account:
        raise _unknown_user(url, "account", "AZURE_STORAGE_ACCOUNT_NAME")
    settings: dict[str, str | bool] = {"account_name": account}
    if endpoint := options.get("endpoint"):
        settings["endpoint"] = _checked(endpoint, url)
    if _is_on(options, "anonymous"):
        return {**settings, "skip_signature": True}
    for option, setting in (("key", "account_key"), ("sas", "sas_key")):
        if options.get(option):
            return {**settings, setting: options[option]}
    if not _any_of(_AZ_FROM_ENVIRONMENT) and not _is_rented_from("Microsoft"):
        raise _unknown_user(url, "key or sas", _AZ_FROM_ENVIRONMENT[0])
    return settings


def _unknown_user(url: str, option: str, variable: str) -> StoreError:
    return StoreError(
        "nothing says who we are there",
        where=url,
        why=f"neither the option {option} is set nor {variable}, and no profile has it",
        next=f"export {variable}=…, or set the option in a file that git ignores",
    )


def _checked(endpoint: str, url: str) -> str:
    parts = urlsplit(endpoint)
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        raise SpecError(
            "the endpoint is no address",
            where=url,
            why="it must read https://HOST",
            next="correct the option",
        )
    return endpoint.rstrip("/")


def _is_on(options: Mapping[str, str], name: str) -> bool:
    return options.get(name, "").lower() in ("1", "true", "yes", "on")


def _first_of(*variables: str) -> str:
    return next((os.environ[name] for name in variables if os.environ.get(name)), "")


def _any_of(variables: tuple[str, ...]) -> bool:
    return bool(_first_of(*variables))


def _is_rented_from(vendor: str) -> bool:
    """Whether this machine is a cloud's own, which then tells its client who it is."""
    try:
        return vendor in Path(_MACHINE).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False


def _profile(name: str) -> dict[str, str]:
    """What the files of the AWS command line say of a profile."""
    found: dict[str, str] = {}
    for variable, file, section in (
        ("AWS_CONFIG_FILE", "~/.aws/config", f"profile {name}" if name not in ("", "default") else "default"),
        ("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials", name or "default"),
    ):
        parser = ConfigParser(interpolation=None)
        try:
            parser.read(os.path.expanduser(os.environ.get(variable, file)), encoding="utf-8")
        except (Error, UnicodeError) as error:
            raise SpecError(
                "this file of the AWS command line cannot be read",
                where=os.path.expanduser(os.environ.get(variable, file)),
                why=type(error).__name__,
                next="correct it",
            ) from None
        if parser.has_section(section):
            found.update(parser[section])
    return found
