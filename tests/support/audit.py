"""Known vulnerabilities in what a deployment installs (`make audit`): asks PyPI, or OSV where PyPI cannot say."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

SERVICES = ("pypi", "osv")


def ask(pip_audit: str, lock: str, service: str) -> list[Mapping[str, Any]]:
    """What ``service`` knows of each locked package; nothing if it could not be reached."""
    command = [
        pip_audit,
        "--disable-pip",
        "--require-hashes",
        "--requirement",
        lock,
        "--vulnerability-service",
        service,
    ]
    done = subprocess.run(
        [*command, "--format", "json", "--progress-spinner", "off"], capture_output=True, text=True, check=False
    )
    try:
        return list(json.loads(done.stdout)["dependencies"])
    except (ValueError, KeyError):
        return []


def verdict(service: str, told: Sequence[Mapping[str, Any]]) -> tuple[int, Iterator[str]] | None:
    """The exit code and the lines to show; None if the service knows none of the packages, so nothing was audited."""
    known = [package for package in told if "vulns" in package]
    if not known:
        return None
    found = [(package, vulnerability) for package in known for vulnerability in package["vulns"]]

    def lines() -> Iterator[str]:
        for package, vulnerability in found:
            fixed = ", ".join(vulnerability.get("fix_versions", ())) or "no version yet"
            yield f"{package['name']} {package['version']}: {vulnerability['id']}, fixed in {fixed}; make lock"
        for package in told:
            if package not in known:
                yield f"{package['name']}: not audited: {package.get('skip_reason', 'no reason given')}"
        yield f"audit by {service}: {len(known)} of {len(told)} packages looked up, {len(found)} vulnerabilities"

    return (1 if found or len(known) < len(told) else 0), lines()


def main(pip_audit: str, lock: str) -> int:
    """1: vulnerabilities, or packages that were not looked up.  0: none, or nobody to ask, which is said aloud."""
    for service in SERVICES:
        judged = verdict(service, ask(pip_audit, lock, service))
        if judged is not None:
            code, lines = judged
            sys.stdout.write("".join(f"{line}\n" for line in lines))
            return code
    sys.stderr.write(
        f"NOT AUDITED: no vulnerability service could be reached ({', '.join(SERVICES)}), so nothing is known of the"
        " packages; run make audit where one of them can be reached\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
