"""`zirelia connect` and `zirelia disconnect`: the accounts that a persona posts with."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zirelia.cli import terminal
from zirelia.domain.value import printable
from zirelia.errors import ConfigurationError
from zirelia.settings import load_settings
from zirelia.studio import open_studio
from zirelia.studio.accounts import NETWORKS

if TYPE_CHECKING:
    from pydantic import SecretStr

    from zirelia.channels.mastodon_oauth import MastodonDesk
    from zirelia.channels.meta_oauth import MetaDesk
    from zirelia.channels.oauth import Found
    from zirelia.channels.x_oauth import XDesk
    from zirelia.domain.connection import Connection
    from zirelia.settings import Settings
    from zirelia.studio.connecting import Account

PASSWORD = "BLUESKY_APP_PASSWORD"  # noqa: S105 - the name of a variable
_PATIENCE = 300.0
_persona = click.option("--persona", help="Whose account; the settings' persona when left out.")
_channel = click.Choice(NETWORKS)


@click.command()
@click.argument("channel", required=False, type=_channel)
@_persona
@click.option("--list", "listing", is_flag=True, help="List what is connected.")
@click.option("--no-browser", is_flag=True, help="Print the address, and take the one that you are sent back to.")
@click.option("--account", help="Which one, where the platform offers several: a Page's id or name.")
@click.option("--handle", help="The account's name at Bluesky.")
@click.option("--server", help="The server: a Mastodon instance, or where a Bluesky account lives.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def connect(
    channel: str | None,
    persona: str | None,
    listing: bool,
    no_browser: bool,
    account: str | None,
    handle: str | None,
    server: str | None,
    as_json: bool,
) -> None:
    """Connect an account, so that a persona can post with it; or list what is connected."""
    if listing or channel is None:
        if channel is None and not listing:
            raise click.UsageError(f"name a channel ({', '.join(NETWORKS)}), or add --list")
        _list(persona, as_json)
        return
    from zirelia.studio import connecting

    settings = _with_key(load_settings())
    with open_studio(settings=settings) as studio:
        whom = studio.persona(persona)
        if channel == "bluesky":
            given = connecting.bluesky(settings, handle or click.prompt("handle"), _password(settings), server)
        elif channel == "mastodon":
            given = _mastodon(settings, server or click.prompt("instance"), browser=not no_browser)
        else:
            given = _by_app(settings, channel, account, browser=not no_browser)
        connection = connecting.store(studio, whom.name, channel, given)
        revived = studio.store.revive_waiting(whom.name, channel, datetime.now(UTC))
        said = connecting.declare(studio, connection)
    if as_json:
        terminal.print_json({**shape(connection), "revived": list(revived)})
        return
    click.echo(f"{click.style('✓', fg='green')} {whom.name} is connected to {channel} as {printable(connection.name)}")
    if said is not None:
        click.echo(f"  {printable(said)}")
    if connection.expires_at is not None and not connection.renewable:
        click.echo(f"  it ends on {connection.expires_at:%d %b %Y}: you are told 14, 7 and 1 days before")
    if revived:
        posts, go = ("post", "goes") if len(revived) == 1 else ("posts", "go")
        numbers = ", ".join(map(str, revived))
        click.echo(f"  {len(revived)} {posts} that waited for this account {go} on: {numbers}")
    if channel not in whom.channels:
        click.echo(f"  to post there, add {channel} to 'channels' in persona.yaml of {whom.name}")


@click.command()
@click.argument("channel", type=_channel)
@_persona
@click.option("--yes", is_flag=True, help="Do not ask.")
def disconnect(channel: str, persona: str | None, yes: bool) -> None:
    """Forget an account with its tokens."""
    from zirelia.studio import connecting

    with open_studio() as studio:
        whose = studio.persona(persona).name
        if not yes:
            terminal.agree(f"Forget the account of {whose} at {channel}?")
        gone = connecting.forget(studio, whose, channel)
    if not gone:
        raise ConfigurationError(f"{whose} is not connected to {channel}", hint="zirelia connect --list")
    click.echo(f"forgotten; to end the access for good, remove Zirelia in the account's own settings at {channel}")


def shape(connection: Connection) -> dict[str, Any]:
    """A connection for `--json`; it holds no secret."""
    shown = connection.model_dump(mode="json", exclude={"id", "version", "serial", "warned"})
    return {**shown, "state": connection.state.value}


def line(connection: Connection, now: datetime) -> tuple[str, str]:
    """How it stands, in words, and a colour."""
    from zirelia.domain.connection import ConnectionState, warning
    from zirelia.workflow.connections import how_to_fix

    if connection.state is ConnectionState.NEEDS_PERSON:
        return f"needs you: {connection.problem}; {how_to_fix(connection)}", "red"
    if warning(connection, now) is not None and connection.expires_at is not None:
        return f"ends {connection.expires_at:%d %b %Y}: {how_to_fix(connection)}", "yellow"
    said = "works" if connection.state is ConnectionState.OK else "is renewed at its next use"
    if connection.problem is not None:
        said += f" ({connection.problem})"
    if connection.expires_at is not None and not connection.renewable:
        said += f", until {connection.expires_at:%d %b %Y}"
    return said, ""


def _list(persona: str | None, as_json: bool) -> None:
    with open_studio() as studio:
        found = studio.store.connections(persona)
    if as_json:
        terminal.print_json([shape(one) for one in found])
        return
    if not found:
        click.echo("Nothing is connected. `zirelia connect CHANNEL` connects an account.")
    for one in found:
        said, colour = line(one, datetime.now(UTC))
        styled = click.style(printable(said), fg=colour or None)
        click.echo(f"{one.persona:14} {one.channel:10} {printable(one.name):24} {styled}")


# ---- the key


def _with_key(settings: Settings) -> Settings:
    """The settings with a key for tokens, made now if a person agrees."""
    from zirelia.store.vault import SETTING
    from zirelia.studio import connecting

    if connecting.has_key(settings):
        return settings
    by_hand = f"put {SETTING}=$(openssl rand -base64 32) into .env, and keep a copy where your backups are not"
    if not sys.stdin.isatty():
        raise ConfigurationError(f"{SETTING} is not set: it seals the tokens that are stored", hint=by_hand)
    file = Path(".env")
    click.echo(f"Tokens are stored sealed, and {SETTING} is not set.")
    if not click.confirm(f"Write a fresh key into {file.resolve()}?", default=True):
        if click.confirm("Keep one in the system's keyring?", default=True) and connecting.keep_key():
            return settings
        raise ConfigurationError(f"{SETTING} is not set", hint=by_hand)
    key = connecting.write_key(file)
    click.echo(f"{file} has it now. Keep a copy: without it every account is to be connected anew.")
    return settings.model_copy(update={"token_key": key})


# ---- what each platform wants


def _password(settings: Settings) -> SecretStr:
    from pydantic import SecretStr

    passed = settings.passed_on.get(PASSWORD)
    said = os.environ.get(PASSWORD) or (passed.get_secret_value() if passed is not None else "")
    return SecretStr(said or click.prompt("app password", hide_input=True, err=True))


def _by_app(settings: Settings, channel: str, wanted: str | None, *, browser: bool) -> Account:
    from zirelia.studio.accounts import desk
    from zirelia.studio.connecting import Account

    return Account(_one_of(_offered(desk(settings, channel), browser=browser), wanted))


def _mastodon(settings: Settings, server: str, *, browser: bool) -> Account:
    from zirelia.studio.connecting import Account, mastodon

    counter = mastodon(settings, server if "://" in server else f"https://{server}")
    (found,) = _offered(counter, browser=browser)
    return Account(found, counter.instance)


def _offered(counter: MastodonDesk | MetaDesk | XDesk, *, browser: bool) -> tuple[Found, ...]:
    """The accounts that a person lets us use there."""
    consent = counter.consent()
    address = _agreed(consent.url, counter.app.redirect, browser=browser)
    return counter.accounts(consent.code_in(address), consent.verifier)


def _agreed(url: str, redirect: str, *, browser: bool) -> str:
    """Where the person was sent back to, after agreeing or not."""
    from zirelia.channels.oauth import Receiver

    if browser and redirect.startswith("http://"):
        import threading
        import webbrowser

        with Receiver(redirect) as receiver:
            click.echo(f"Agree in your browser. If none opens, open this address:\n{url}", err=True)
            # some browsers return when they are closed
            threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()
            return receiver.wait(_PATIENCE)
    click.echo(
        f"Open this address and agree. Your browser is then sent to {redirect}, where nothing may be: copy its address.\n{url}",
        err=True,
    )
    answer: str = click.prompt("the address that you were sent to", err=True)
    return answer


def _one_of(found: tuple[Found, ...], wanted: str | None) -> Found:
    if wanted is not None:
        found = tuple(one for one in found if wanted in {one.account, one.handle})
    if len(found) == 1:
        return found[0]
    offered = ", ".join(f"{printable(one.handle or '')} ({one.account})" for one in found)
    if not found:
        raise ConfigurationError(f"there is no account {wanted} among those that you chose")
    if not sys.stdin.isatty():
        raise ConfigurationError(f"there are several accounts: {offered}", hint="name one with --account")
    click.echo(f"There are several: {offered}", err=True)
    chosen = click.prompt("which one", type=click.Choice([one.account for one in found]), err=True)
    return next(one for one in found if one.account == chosen)
