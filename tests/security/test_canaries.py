"""Every entrance of a secret, in every form that accidents give it: whatever comes out of it, no secret does."""

import asyncio
import contextlib
import json
import os
import random
import sqlite3
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.security.test_secrets import Mirror
from tests.sheets.test_credentials import KEY_TEXT, forms_of, ruined

from canaries import FORMS, WINDOW, Planted, Search, needles_of, passphrase, signing, token
from daemon_process import PATIENCE, Daemon, weakened, write_config
from fake_google import private_key
from lengths import examples
from postgres_server import Server
from smart_sync import config
from smart_sync.control.client import Client
from smart_sync.errors import ConfigError, SmartSyncError
from smart_sync.sheets.credentials import VARIABLE
from world import KEY, World

#: Where a secret may be kept, and how it is written then.
PLACES = ("plain", "env", "file", "credential")
#: A link for each parser, and the keys of a table of its kind; V is the secret.
PARSERS = {
    "youtube": "key = V",
    "facebook": "token = V",
    "instagram": 'token = V\nuser_id = "17841406338772941"',
    "threads": "tokens = { zuck = V }",
    "tiktok": 'tokens = { "@p0" = V }',
    "tiktok refresh": 'kind = "tiktok"\nclient_key = "k1"\nclient_secret = "s1"\n'
    'accounts = { "@p0" = { refresh_token = V } }',
    "tiktok secret": 'kind = "tiktok"\nclient_key = "k1"\nclient_secret = V\n'
    'accounts = { "@p0" = { refresh_token = "x" } }',
    "tiktok key": 'kind = "tiktok"\nclient_key = V\nclient_secret = "s1"\n'
    'accounts = { "@p0" = { refresh_token = "x" } }',
    "threads account": 'kind = "threads"\naccounts = { zuck = { token = V } }',
    "recipe": 'kind = "http_json"\nrecipe = "tiktok-api23"\nkey = V',
    "header": 'kind = "http_json"\nplatforms = ["tiktok"]\nurl = "own/{username}"\nmetrics = { followers = "fans" }\n'
    'headers = { X-RapidAPI-Key = V, X-RapidAPI-Host = "tiktok-api23.p.rapidapi.com" }',
    "query": 'kind = "http_json"\nplatforms = ["tiktok"]\nurl = "own/{username}"\nmetrics = { followers = "fans" }\n'
    "query = { apikey = V }",
}  # fmt: skip
#: Their tokens are renewed, each by a process of its own, in each pass: in the suite half of them in each form.
RENEWED = ("threads", "tiktok")
#: The same for what a step can hold, which is written in the configuration itself.
STEPS = {
    "step query": 'url = "own/{username}"\nquery = { access_token = V }',
    "step json": 'url = "own"\njson = { user = "{username}", password = V }',
    "step form": 'url = "own"\nform = { user = "{username}", api_key = V }',
    "step url": 'url = URL + "/own/{username}?token=" + V',
}
#: Where a URL of apprise has its secret: as a path, a password, a query, or in place of a host.
TARGETS = {
    "path": "gotify://{host}/{secret}",
    "topic": "ntfy://{host}/{secret}",
    "password": "json://me:{secret}@{host}/x",
    "query": "json://{host}/x?+X-Token={secret}",
    "mail password": "mailto://me:{secret}@{host}?to=ops@example.com&mode=insecure&cto=2",
    "host": "tgram://{secret}/x",
}
LINKS = (
    "https://www.youtube.com/channel/UC_x5XG1OV2P6uZZ5FSM9Ttw", "https://www.facebook.com/facebookapp",
    "https://www.instagram.com/facebookfordevelopers", "https://www.threads.net/@zuck", "https://www.tiktok.com/@p0",
)  # fmt: skip
API_TOKEN = token(random.Random("api"))


def kept_at(name: str, text: str, place: str) -> tuple[str, dict[str, str], dict[str, str]]:
    """How ``text`` is referred to in TOML, and the variables and files that it takes."""
    if place == "plain":
        return json.dumps(text), {}, {}
    if place == "env":
        variable = f"CANARY_{name}".upper().replace(" ", "_").replace("\\", "")
        return json.dumps(f"env:{variable}"), {variable: text}, {}
    file = f"{name}.secret"
    return json.dumps(f"{place}:{file}"), {}, {file: text}


def entrances(form: str, url: str) -> Iterator[Planted]:
    """Each entrance but Google's, with a canary of its own in ``form``; ``url`` is the mirror's.

    One place is enough for a form, since what is read there is handled by the same code from then on; `make hunt` takes
    two.
    """
    chance, number = random.Random(form), list(FORMS).index(form)
    shaped = FORMS[form]
    for place in PLACES if number == 0 else [PLACES[(number + more) % 4] for more in range(examples(1, 2))]:
        for nth, (kind, keys) in enumerate(PARSERS.items()):
            if number and kind.startswith(RENEWED) and (nth + number) % examples(2, 1):
                continue
            name, secret = f"{kind} {place} {form}".replace(" ", "_").replace("\\", ""), token(chance)
            written, environment, files = kept_at(name, shaped(secret), place)
            table = f'[parsers.{name}]\nkind = "{kind}"\n' if "kind" not in keys else f"[parsers.{name}]\n"
            toml = f'{table}{keys.replace("V", written)}\napi_url = "{url}/api"\ndeadline = "2s"\n'
            yield Planted(name, toml, needles_of(secret, form), environment, files)
        secret = signing(chance)
        name = f"webhook secret {place} {form}"
        written, environment, files = kept_at(name, shaped(secret), place)
        toml = f'[[webhooks]]\nurl = "{url}/{name.replace(" ", "-")}"\nsecret = {written}\nallow_private = true\n'
        yield Planted(name, toml, needles_of(secret.removeprefix("whsec_"), form), environment, files)
        secret = token(chance)
        name = f"webhook header {place} {form}"
        written, environment, files = kept_at(name, shaped(secret), place)
        toml = f'[[webhooks]]\nurl = "{url}/{name.replace(" ", "-")}"\nformat = "plain"\nallow_private = true\n'
        toml += f"headers = {{ Authorization = {written} }}\n"
        yield Planted(name, toml, needles_of(secret, form), environment, files)
        for kind, before, after in (("path", "/hook/", ""), ("query", "/hook?token=", ""), ("password", "", "@")):
            secret = token(chance)
            host = url.removeprefix("http://")
            whole = f"http://user:{secret}@{host}/hook" if after else f"{url}{before}{secret}"
            name = f"webhook url {kind} {place} {form}"
            written, environment, files = kept_at(name, shaped(whole), place)
            toml = f'[[webhooks]]\nurl = {written}\nsecret = "whsec_{"A" * 44}"\nallow_private = true\n'
            yield Planted(name, toml, needles_of(secret, form, whole=whole), environment, files)
        for kind, whole in TARGETS.items():
            secret = token(chance)
            whole = whole.format(secret=secret, host=url.removeprefix("http://"))
            name = f"target {kind} {place} {form}"
            written, environment, files = kept_at(name, shaped(whole), place)
            toml = f"[[notify.targets]]\nurl = {written}\n"
            yield Planted(name, toml, needles_of(secret, form, whole=whole), environment, files)
    for kind, keys in STEPS.items():
        name, secret = f"{kind} {form}".replace(" ", "_").replace("\\", ""), passphrase(chance)
        given = json.dumps(shaped(secret))
        address = json.dumps(f"{url}/own/{{username}}?token={shaped(secret)}")
        step = f"url = {address}" if "URL" in keys else keys.replace("V", given)
        toml = f'[parsers.{name}]\nkind = "http_json"\nplatforms = ["tiktok"]\napi_url = "{url}"\n'
        toml += f'{step}\nmetrics = {{ followers = "fans" }}\ndeadline = "2s"\n'
        yield Planted(name, toml, needles_of(secret, form))


def pings(form: str, url: str) -> Iterator[Planted]:
    """The same of what a configuration has once."""
    chance, number = random.Random(f"ping {form}"), list(FORMS).index(form)
    for place in PLACES if number == 0 else [PLACES[(number + more) % 4] for more in range(examples(1, 4))]:
        for kind, whole in (("path", "{url}/ping/{secret}"), ("password", "http://me:{secret}@{host}/ping")):
            secret = token(chance)
            whole = whole.format(url=url, secret=secret, host=url.removeprefix("http://"))
            name = f"ping {kind} {place} {form}"
            written, environment, files = kept_at(name, FORMS[form](whole), place)
            yield Planted(name, f"[ping]\nurl = {written}\n", needles_of(secret, form, whole=whole), environment, files)


def databases(form: str) -> Iterator[Planted]:
    """A database's address in place of a path."""
    chance = random.Random(f"database {form}")
    for whole in (
        "postgresql://app:{secret}@db.example.com:5432/app", "postgres://app:{secret}@/app?host=/run",
        "postgresql+psycopg://app:{secret}", "mysql://app:half/{secret}@db/app", "host=db user=app password={secret}",
    ):  # fmt: skip
        secret = token(chance)
        given = whole.format(secret=secret)
        toml = f"[database]\npath = {json.dumps(FORMS[form](given))}\n"
        yield Planted(f"database {whole} {form}", toml, needles_of(secret, form, whole=given))


#: Where a server's address may stand, next to the configuration itself.
VARIABLE_OF_URL = "SMART_SYNC_DATABASE__URL"


def servers(form: str, folder: str) -> Iterator[Planted]:
    """The address of a server with a password, at each entrance; ``folder`` has the socket of one that refuses it."""
    chance, number = random.Random(f"server {form}"), list(FORMS).index(form)
    addresses = ("postgresql://app:{secret}@127.0.0.1:1/app", "postgresql://app@127.0.0.1:1/app?password={secret}",
                 f"postgresql://nobody:{{secret}}@/app?host={folder}")  # fmt: skip
    for place in (*PLACES, "variable") if number == 0 else (PLACES[number % 4],):
        for address in addresses if number == 0 else addresses[:1]:
            secret = token(chance)
            given = address.format(secret=secret)
            name = f"server {address[-12:]} {place} {form}"
            if place == "variable":
                environment = {VARIABLE_OF_URL: FORMS[form](given)}
                yield Planted(name, "", needles_of(secret, form, whole=given), environment)
                continue
            written, environment, files = kept_at("server", FORMS[form](given), place)
            toml = f"[database]\nurl = {written}\n"
            yield Planted(name, toml, needles_of(secret, form, whole=given), environment, files)


def brokers(form: str) -> Iterator[Planted]:
    """The address of a broker with a password, whether workers are wanted or not."""
    chance = random.Random(f"broker {form}")
    for whole in ("redis://:{secret}@redis.example.com:6379/0", "amqp://me:{secret}@a.example.com//;amqp://b"):
        for more in ("", 'workers = "celery"\n'):
            secret = token(chance)
            given = whole.format(secret=secret)
            toml = f"[sync]\n{more}broker = {json.dumps(FORMS[form](given))}\n"
            yield Planted(f"broker {whole} {more} {form}", toml, needles_of(secret, form, whole=given))


#: In `FIELDS`: a table of a source, and a secret that is well-formed.
_SOURCE = '[parsers.x]\nkind = "http_json"\nplatforms = ["tiktok"]\n'
_SIGNED = f'"whsec_{"A" * 44}"'
#: Keys whose value is free text, or text of a certain form: § is a secret that was pasted there, in quotes, ¤ without;
#: ¶ is the mirror's address.
FIELDS = (
    "[database]\npath = §", "[control]\nsocket = §", "[control]\nmode = §", "[control]\ngroup = §",
    "[schedule]\ntimezone = §", "[schedule]\ncron = §", "[schedule]\nevery = §", "[log]\nformat = §",
    "[log]\nlevel = §", "[sheets]\nspreadsheet = §", '[sheets]\ndirectory = §\nsource = "csv"',
    "[sheets]\nlocale = §", "[sheets]\nsource = §", "[sheets]\napi_url = §", "[sheets]\ntimeout = §",
    "[sheets]\ncredentials = §", "[sheets]\ncolumns = { views = [§] }", '[sheets]\ncolumns = { § = ["x"] }',
    '[sheets.spreadsheets]\n§ = "x"', "[sheets.spreadsheets]\nMetrics = §", "[merge]\nstrategy = §",
    '[merge.projects.§]\nviews = "sheet"', '[merge.platforms.§]\nviews = "sheet"', '[merge.metrics]\n§ = "sheet"',
    "[parsed]\nquery = §", "[sync]\ncreate_missing = §", "[sync]\nworkers = §", "[sync]\nbroker = §",
    "[sync.defaults.accounts]\ntopic = §", "[sync.defaults.projects]\n§ = 1",
    "[snapshots]\non_existing = §", "[history]\nkeep = §",
    "[§]\nx = 1", "§ = 1", "[log]\n§ = 1", '[parsers.§]\napi_url = "¶"\nkey = "x"', "[parsers.x]\nkind = §",
    '[parsers.youtube]\nsource = §\napi_url = "¶"\nkey = "x"',
    '[parsers.youtube]\napi_url = "¶"\nkey = "x"\nrate = §',
    '[parsers.youtube]\napi_url = "¶"\nkey = "x"\nplatforms = [§]', '[parsers.youtube]\nkey = "x"\napi_url = §',
    '[parsers.youtube]\nkey = "env:¤"', '[parsers.youtube]\nkey = "file:¤"',
    '[parsers.youtube]\nkey = "credential:¤"', "[parsers.csv]\npath = §",
    '[parsers.x]\nkind = "http_json"\nrecipe = §\napi_url = "¶"\nkey = "x"',
    'HTTPurl = §\nmetrics = { views = "v" }', 'HTTPurl = "¶/{username}/{¤}"',
    'HTTPurl = "¶/{username}"\nmetrics = { views = § }',
    'HTTPurl = "¶/{username}"\nheaders = { § = "x" }\nmetrics = { views = "v" }', "[ping]\nurl = §",
    '[[webhooks]]\nurl = §\nsecret = "x"', '[[webhooks]]\nurl = "¶"\nsecret = §',
    '[[webhooks]]\nurl = "¶"\nsecret = SIGNED\nevents = [§]',
    "[[notify.targets]]\nurl = §", '[[notify.targets]]\nurl = "tgram://¤/x"', '[[notify.targets]]\nurl = "¤://localhost/x"',
    '[[notify.targets]]\nurl = "json://localhost/x"\nevents = [§]', "[notify]\nlang = §", "[notify]\ndigest = §",
    '[[notify.targets]]\nurl = "json://localhost/x"\nlang = §',
)  # fmt: skip


def every(nth: int, number: int, planted: Iterable[Planted]) -> list[Planted]:
    """The ``nth`` ones; all of them come where all ``number`` are asked for."""
    return [one for at, one in enumerate(planted) if (at - number) % nth == 0]


def pasted(kind: str, url: str) -> Iterator[Planted]:
    """A secret of some kind in each of `FIELDS`; as a key of TOML it is quoted."""
    chance = random.Random(kind)
    for number, field in enumerate(FIELDS):
        if kind == "a UUID" and any(key in field for key in ("path =", "socket =", "directory =")):
            continue  # a file may be called so
        secret = SECRETS[kind](chance)
        toml = (
            field.replace("HTTP", _SOURCE)
            .replace("SIGNED", _SIGNED)
            .replace("§", json.dumps(secret))
            .replace("¤", secret)
            .replace("¶", url)
        )
        # What others may know of an address is where it leads.
        yield Planted(f"{kind} {number} {field}", toml, (secret.partition("@")[0].rpartition(":")[2],))


SECRETS: Mapping[str, Callable[[random.Random], str]] = {
    "a key": token,
    "a key of Google's": lambda chance: "AIzaSy" + token(chance, 33),
    "a key in hex": lambda chance: chance.randbytes(20).hex(),
    "a UUID": lambda chance: "-".join(chance.randbytes(size).hex() for size in (4, 2, 2, 2, 6)),
    "an address": lambda chance: f"postgresql://app:{token(chance)}@db.example.com/app",
    "base64": lambda chance: signing(chance).removeprefix("whsec_") * 3,
}


#: What is no TOML: V is a secret, as it is.
RAW = (
    "[ping]\nurl = V", '[ping]\nurl = "V', "[ping]\nurl = \"V\nV\"", "[ping]\nurl = 'V' 'V'", "[V\n", "V", "V = ",
    '"V" = 1\n"V" = 2', "[log.V]\n[log.V]", "[V]\nx = 1\nx = 2", "[V.x]\n[V]\nx = 1", 'x = { V = 1, V = 2 }',
    "x = { V = 1",
    'x = "\\V"', "[[V]]\n[V]",
)  # fmt: skip


def base(world: World) -> dict[str, Any]:
    """A configuration with which all goes well."""
    text = write_config(world.folder, google=world.google, spreadsheet=KEY).read_text()
    more = {"schedule": {"run_on_start": False}, "log": {"level": "debug"}, "sync": {"parsers_wait": "5s"}}
    return {**tomllib.loads(text), **more}


def joined(one: Any, other: Any) -> Any:
    """Tables and lists of both; of anything else the other's."""
    if isinstance(one, dict) and isinstance(other, dict):
        return {key: joined(one[key], other[key]) if key in one and key in other else {**one, **other}[key]
                for key in {**one, **other}}  # fmt: skip
    return [*one, *other] if isinstance(one, list) and isinstance(other, list) else other


def literal(value: Any) -> str:
    """A value as TOML has it in one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {literal(item)}" for key, item in value.items()) + "}"
    return f"[{', '.join(map(literal, value))}]" if isinstance(value, list) else json.dumps(value)


def written(world: World, planted: Sequence[Planted]) -> str:
    """The configuration with all that is planted."""
    whole = base(world)
    for one in planted:
        whole = joined(whole, tomllib.loads(one.toml))
        if "url" in whole["database"] or VARIABLE_OF_URL in one.environment:
            whole["database"].pop("path", None)
    return toml_of(whole)


def toml_of(whole: Mapping[str, Any]) -> str:
    """A configuration file, a line per key."""
    lines = [f"{json.dumps(key)} = {literal(value)}" for key, value in whole.items() if not isinstance(value, dict)]
    for section, keys in whole.items():
        if isinstance(keys, dict):
            lines += [f"[{json.dumps(section)}]" if not section.isalnum() else f"[{section}]"]
            lines += [f"{json.dumps(key)} = {literal(value)}" for key, value in keys.items()]
    return "\n".join(lines) + "\n"


def accepted_of(world: World, several: Sequence[Planted]) -> list[Planted]:
    """Those with which a configuration is accepted: tried together, and where that is refused each half by itself."""
    if not several or loads(world, several):
        return list(several)
    half = len(several) // 2
    return [one for part in (several[:half], several[half:]) if half for one in accepted_of(world, part)]


def loads(world: World, planted: Sequence[Planted]) -> bool:
    """Whether a configuration with all of them is accepted."""
    path = world.folder / "config.toml"
    path.write_text(written(world, planted))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CREDENTIALS_DIRECTORY", str(world.folder))
        for one in planted:
            for name, text in one.environment.items():
                patch.setenv(name, text)
            for name, text in one.files.items():
                (world.folder / name).write_bytes(text.encode())
        try:
            config.load(path)
        except ConfigError:
            return False
    return True


def step(
    world: World, text: str, planted: Sequence[Planted], commands: Sequence[Sequence[str]], calls: Sequence[Any] = ()
) -> dict[str, Any]:
    """What `canary_commands` does with a configuration in which something is planted."""
    path = str(world.folder / "config.toml")
    files, environment = {path: text}, {"SMART_SYNC_API_TOKEN": API_TOKEN, "CREDENTIALS_DIRECTORY": str(world.folder)}
    for one in planted:
        files |= {str(world.folder / name): content for name, content in one.files.items()}
        environment |= one.environment
    return {
        "files": files,
        "environment": environment,
        "commands": [[*command, "--config", path] for command in commands],
        "calls": list(calls),
    }


def run_steps(steps: Sequence[dict[str, Any]], environment: Mapping[str, str]) -> list[dict[str, str]]:
    """What came out of each, by command."""
    place = Path(__file__).parents[1] / "support" / "canary_commands.py"
    ended = subprocess.run(
        [sys.executable, str(place)], input=json.dumps(steps), capture_output=True, text=True, check=False,
        env={**os.environ, "COLUMNS": "200", **environment},
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr[-3000:]
    said: list[dict[str, str]] = json.loads(ended.stdout)
    return said


def stored(world: World) -> str:
    """The database: every text in it, and the bytes of its files; not the file of tokens, which is its owner's."""
    tokens = {*world.folder.glob("view_counter.db.tokens*")}
    assert all(file.stat().st_mode & 0o077 == 0 for file in tokens)
    with closing(sqlite3.connect(world.path)) as connection:
        texts = "\n".join(connection.iterdump())
    files = sorted({*world.folder.glob("view_counter.db*")} - tokens)
    return texts + "".join(file.read_bytes().decode("latin-1") for file in files)


def broken(world: World, steps: Sequence[dict[str, Any]], planted: Sequence[Sequence[Planted]],
           environment: Mapping[str, str]) -> list[str]:  # fmt: skip
    """Which secret came out where; and which command ended in a traceback."""
    found = []
    everything = {one.name: one.needles for several in planted for one in several} | {"API token": (API_TOKEN,)}
    for said, several in zip(run_steps(steps, environment), planted, strict=True):
        search = Search({one.name: one.needles for one in several} | {"API token": (API_TOKEN,)})
        for command, text in said.items():
            words = command.partition(" --config")[0]
            found += [f"{name} in {words}: {text}" for name in search.hits(text)]
            if "Traceback (most recent" in text:
                found.append(f"traceback of {words} with {[one.name for one in several]}: {text}")
    found += [f"{name} in the database" for name in Search(everything).hits(stored(world))]
    return found


ACCEPTED = (["check"], ["once", "--json"], ["webhooks", "test"], ["explain", "@p0"], ["config", "show"])
PARSED = (["parse", *LINKS], ["parse", "--json", *LINKS])
REFUSED = (["check"], ["once", "--json"], ["history"])


def peopled(world: World) -> None:
    """Accounts for all parsers."""
    world.add_project("P", ["p0"])
    world.sheet("P", p0=[1] * 5)
    for link in LINKS[:-1]:
        platform = link.split(".")[1]
        world.execute(
            "INSERT INTO project_social_accounts (id, project_id, platform, username, profile_link)"
            " VALUES (?1, 'project-P', ?1, 'a', ?2)",
            (platform, link),
        )


def of_tables(world: World, url: str, forms: Sequence[str], environment: Mapping[str, str]) -> list[str]:
    """Parsers, webhooks and the ping, with all that is accepted in one configuration and all that is not in another."""
    steps, planted = [], []
    for number, form in enumerate(forms):
        environment = {**environment, "SMART_SYNC_LOG__FORMAT": ("console", "json")[number % 2]}
        several = list(entrances(form, url))
        accepted = accepted_of(world, several)
        # There may be 20 of each.
        hooks = [one for one in accepted if one.toml.startswith("[[webhooks")][20:]
        hooks += [one for one in accepted if one.toml.startswith("[[notify")][20:]
        for group, commands in (
            ([one for one in accepted if one not in hooks], (*ACCEPTED, PARSED[number % 2])),
            ([one for one in several if one not in accepted], REFUSED),
        ):
            steps.append(step(world, written(world, group), group, commands))
            planted.append(group)
        for one in pings(form, url):
            steps.append(step(world, written(world, [one]), [one], [["once"]]))
            planted.append([one])
    return broken(world, steps, planted, environment)


def alone(
    world: World,
    planted: Sequence[Planted],
    commands: Sequence[Sequence[str]],
    environment: Mapping[str, str] | None = None,
) -> list[str]:
    """Each in a configuration of its own."""
    steps = [step(world, written(world, [one]), [one], commands) for one in planted]
    return broken(world, steps, [[one] for one in planted], environment or {})


def test_tables(world: World) -> None:
    """Keys, tokens, headers, signing secrets and addresses, plain and from env:, file: and credential:."""
    peopled(world)
    with Mirror() as mirror:
        found = of_tables(world, mirror.url, list(FORMS), {})
        asked = "\n".join(mirror.asked)
    assert found == []
    # They were used where they belong.
    for one in entrances("as it is", ""):
        elsewhere = ("password", "webhook secret", "target host")  # in base64, in a signature, refused
        assert one.needles[0] in asked or any(kind in one.name for kind in elsewhere), one.name


def test_databases(world: World) -> None:
    """The address of a database in place of a path is refused, and no part of it is said or becomes a file."""
    peopled(world)
    assert alone(world, [one for form in FORMS for one in databases(form)], REFUSED[:2]) == []
    assert [path for path in world.folder.iterdir() if "app" in path.name] == []


def test_servers(world: World, postgres_server: Server | None) -> None:
    """The password of a server is said by nothing: it cannot be reached, it refuses, or that is no address."""
    folder = "/nowhere" if postgres_server is None else str(postgres_server.folder)
    planted = [one for form in FORMS for one in servers(form, folder)]
    assert alone(world, planted, [["check"], ["once"], ["config", "show"]]) == []
    key = world.google.credentials(world.folder / "key.json")
    steps, secrets = [], []
    for number, address in enumerate(
        ("postgresql://app:{}@127.0.0.1:1/app", "postgresql://app:{}@/app?host=" + folder)
    ):
        secret = token(random.Random(number))
        secrets.append([Planted(address, "", needles_of(secret, "as it is"))])
        call = ["sync_all_projects_standalone", [address.format(secret), str(key), KEY]]
        steps.append(step(world, written(world, []), [], [], [call]))
    assert broken(world, steps, secrets, {}) == []


def test_brokers(world: World) -> None:
    """The password in the address of a broker is said by nothing, whether the address can be used or not."""
    peopled(world)
    assert alone(world, [one for form in FORMS for one in brokers(form)], REFUSED[:2]) == []


@pytest.mark.parametrize("kind", SECRETS)
def test_fields(world: World, kind: str) -> None:
    """Where a secret was pasted into a field of another, nothing quotes it, whether the field accepts it or not."""
    peopled(world)
    with Mirror() as mirror:
        # In the suite each field gets two of the kinds of secret.
        planted = every(examples(3, 1), list(SECRETS).index(kind), pasted(kind, mirror.url))
        assert alone(world, planted, [["check"], ["once"]]) == []


def test_no_toml(world: World) -> None:
    """Where a secret stands in what is no TOML, the message names the place alone."""
    planted, steps = [], []
    for kind, made in SECRETS.items():
        chance = random.Random(kind)
        for raw in RAW:
            secret = made(chance)
            planted.append([Planted(raw, "", (secret.partition("@")[0].rpartition(":")[2],))])
            steps.append(step(world, raw.replace("V", secret), planted[-1], [["check"], ["history"]]))
    assert broken(world, steps, planted, {}) == []


#: Every form of Google's key that people come by, well or ruined.
GOOGLE_KEYS = {**ruined(KEY_TEXT), **forms_of(KEY_TEXT)}


def google_key(form: str) -> Planted:
    """The key in ``form``; of a JSON key everything but the private key may be told."""
    text = GOOGLE_KEYS[form]
    lines = [line for line in private_key()[0].splitlines() if not line.startswith("-----")]
    encoded = [] if "{" in text else [*text.replace('"', "").split(), "".join(text.split())]
    return Planted(form, "", tuple(needle for needle in (*lines, *encoded) if len(needle) >= WINDOW))


def google_steps(world: World, form: str) -> Iterator[dict[str, Any]]:
    """The key at each of its entrances, and at those of others."""
    text, planted, whole = GOOGLE_KEYS[form], google_key(form), base(world)
    good = str(world.google.credentials(world.folder / "good.json"))
    without = {**whole, "sheets": {key: value for key, value in whole["sheets"].items() if key != "credentials"}}

    def once(more: Mapping[str, Any], named: Mapping[str, str] | None = None, kept: str = "") -> dict[str, Any]:
        files = {kept: text} if kept else {}
        one = replace(planted, environment=named or {}, files=files)
        return step(world, toml_of(joined(without, more)), [one], [["once"], ["check"]])

    number = list(GOOGLE_KEYS).index(form)
    # What is read is handled by the same code, wherever it was: in the suite each form is at two of the four.
    if number % 2 or examples(0, 1):
        if "\0" not in text:
            yield once({}, {VARIABLE: text})
        yield once({"sheets": {"credentials": "any.key"}}, kept="any.key")
    if not number % 2 or examples(0, 1):
        yield once({"sheets": {"credentials": text}})
        yield once({}, kept="google")
    if number % examples(3, 1):  # in the suite each third of them where it does not belong
        return
    yield once({"sheets": {"credentials": good, "spreadsheet": text}})
    yield once({"sheets": {"credentials": good}, "database": {"path": text}})
    yield once({"sheets": {"credentials": good}, "ping": {"url": text}, "parsers": {"youtube": {"key": text}}})
    single, both = "sync_single_project_standalone", "sync_all_projects_standalone"
    calls = [
        (both, [str(world.path), text, KEY]),
        (both, [str(world.path), {"private_key": text, "client_email": text}, KEY]),
        (both, [text, good, KEY]), (both, [str(world.path), good, text]), (single, [str(world.path), good, KEY, text]),
        (single, [text, text, text, text]),
    ]  # fmt: skip
    named = {"SMART_SYNC_SHEETS__API_URL": world.google.url}
    yield step(world, "", [replace(planted, environment=named)], [], calls)


@pytest.mark.parametrize("part", range(3))
def test_google(world: World, part: int) -> None:
    """Google's key, well or ruined, at each of its entrances, at those of others and as any argument of a call."""
    peopled(world)
    forms = list(GOOGLE_KEYS)[part::3]
    steps = [(step, google_key(form)) for form in forms for step in google_steps(world, form)]
    assert broken(world, [one for one, _ in steps], [[key] for _, key in steps], {}) == []


def test_daemon(world: World) -> None:
    """A daemon that is reloaded with each of them, and asked: log, answers and events hold none of them."""
    peopled(world)
    path, told = world.folder / "config.toml", list[str]()
    with Mirror() as mirror:
        rounds = list(daemon_rounds(world, mirror.url))
        path.write_text(written(world, []))
        environment = {name: text for several in rounds for one in several for name, text in one.environment.items()}
        with Daemon(path, {**environment, "CREDENTIALS_DIRECTORY": str(world.folder)}) as daemon:
            asyncio.run(asked(world, daemon, rounds, told))
            assert daemon.stop() == 0
            told.append(daemon.output())
    assert len(told) > 3 * len(rounds)
    search = Search({one.name: one.needles for several in rounds for one in several})
    for text in (*told[:-1], *told[-1].splitlines(), stored(world)):
        assert (search.hits(text), text) == (set(), text)
    assert "Traceback" not in told[-1]


def daemon_rounds(world: World, url: str) -> Iterator[list[Planted]]:
    """What the daemon is reloaded with: in each form all that is accepted, and all that is not; then each field."""
    for form in FORMS:
        several = [one for one in entrances(form, url) if "webhook" not in one.name or " path " in one.name]
        accepted = accepted_of(world, several)
        yield accepted
        yield [one for one in several if one not in accepted]
    # In the suite the daemon gets one kind of secret in each field; commands get more (`test_fields`).
    for number, kind in enumerate(SECRETS):
        yield from ([one] for one in every(examples(len(SECRETS), 1), number, pasted(kind, url)))
    for number, form in enumerate(FORMS):
        yield from ([one] for one in every(examples(5, 1), number, databases(form)))


async def asked(world: World, daemon: Daemon, rounds: Sequence[Sequence[Planted]], told: list[str]) -> None:
    """Reload with each round, run a pass, and keep in ``told`` what is said of it, events included."""
    client = Client(daemon.socket, timeout=PATIENCE)

    async def listen() -> None:
        while True:
            with contextlib.suppress(SmartSyncError):  # each reload ends the stream
                async with client.following() as events:
                    told.extend([json.dumps(event, ensure_ascii=False) async for event in events])

    listening = asyncio.create_task(listen())
    for planted in rounds:
        for one in planted:
            for name, text in one.files.items():
                (world.folder / name).write_bytes(text.encode())
        (world.folder / "config.toml").write_text(written(world, planted))
        status, answer = await client.request("POST", "/api/admin/reload")
        told.append(str(answer))
        requests = [("GET", "sync_status")]
        if status == 200:
            await asyncio.to_thread(daemon.wait_for, "READY=1")
            requests = [("POST", "smart_sync"), ("GET", "sync_status"), ("GET", "sync_history")]
        for method, path in requests:
            told.append(str(await client.request(method, f"/api/admin/{path}")))
    listening.cancel()


@pytest.mark.parametrize("place", ["env", "file", "credential"])
def test_a_short_secret_in_place_of_its_name(world: World, place: str) -> None:
    """What can hardly be the name of a variable or of a file is not quoted after ``env:``, ``file:`` or the like."""
    steps, planted = [], []
    for secret in ("AIza-SECRETyt+/=", "AIzaSySECRET_abc", "Sk_live51Habc", "hunter2Hunter"):
        text = f"{place}:{secret}"
        for one in (
            Planted("key", f"[parsers.youtube]\nkey = {json.dumps(text)}\n", (secret,)),
            Planted("url", f"[ping]\nurl = {json.dumps(text)}\n", (secret,)),
            Planted("Google", f"[sheets]\ncredentials = {json.dumps(secret)}\n", (secret,)),
        ):
            steps.append(step(world, written(world, [one]), [one], [["check"]]))
            planted.append([one])
        without = base(world)
        del without["sheets"]["credentials"]
        named = Planted("variable", "", (secret,), {VARIABLE: secret})
        steps.append(step(world, toml_of(without), [named], [["check"], ["once"]]))
        planted.append([named])
    assert broken(world, steps, planted, {}) == []


#: Every guard, and what is found without it.
CONTROLS = {
    "nothing is redacted": "import smart_sync.logs as logs\nlogs.redact = lambda text: text\n",
    "what was pasted is shown": "from smart_sync.config import secrets\nsecrets.protect_pasted = lambda *given: None\n",
    "what a step sends is shown": "from smart_sync.config import secrets\nsecrets.protect_in = lambda body: None\n",
    "check shows what it finds": "import smart_sync.admin.checks.findings as findings\nfindings.redacted = list\n",
}


@pytest.mark.parametrize("control", CONTROLS)
def test_without_a_guard_secrets_are_found(world: World, control: str) -> None:
    """Negative control: with each of the guards taken away the same search finds secrets."""
    peopled(world)
    environment = weakened(world.folder, CONTROLS[control])
    with Mirror() as mirror:
        few = [one for one in pasted("a key", mirror.url) if any(key in one.name for key in ("timezone", "merge.proj"))]
        few += [one for one in entrances("as it is", mirror.url) if one.name.startswith("step_json")]
        found = alone(world, few, [["check"], ["parse", *LINKS]], environment)
    assert found
