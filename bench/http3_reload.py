"""The work of bench/http3-reload: six visitors over HTTP/3 and two over HTTP/1.1 ask for ten seconds, and nginx is reloaded meanwhile."""

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from verification import inventory
from verification.host import script_of
from verification.session import Session

VISITORS = """
import threading
from verification.remote import http3
from verification.remote.wire import https, request

http3.SECONDS = 3.0
PATH, END = "/static/no-such-file", time.monotonic() + 12
found = {"HTTP/3": [], "HTTP/1.1": []}

def kept():
    waits, failed, begun = [], [], time.monotonic()
    while time.monotonic() < END:
        with http3.Connection(PARAMETERS) as connection:
            while time.monotonic() < END and not connection.ended:
                (answer,) = connection.ask([{"method": "GET", "path": PATH}])
                if answer["status"] != 404:
                    failed.append(answer["ended"])
                    break
                waits.append(time.monotonic() - begun)
                begun = time.monotonic()
                time.sleep(0.02)
                begun = time.monotonic()
    found["HTTP/3"].append([len(waits), failed, max(waits)])

def anew():
    waits, failed = [], []
    while time.monotonic() < END:
        begun = time.monotonic()
        answer = https(PARAMETERS, request("GET", PATH, PARAMETERS["site"]))
        failed += [] if answer["status"] == 404 else [str(answer.get("reason"))]
        waits.append(time.monotonic() - begun)
        time.sleep(0.02)
    found["HTTP/1.1"].append([len(waits), failed, max(waits)])

threads = [threading.Thread(target=work) for work in (kept, kept, kept, kept, kept, kept, anew, anew)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(json.dumps(found))
"""


def main(path: str, name: str) -> None:
    with Session(inventory.read(Path(path), limit=name)) as session:
        (host,) = session.hosts
        if session.observer.connection is None:
            sys.exit(f"{path} names no host in the group observers: from here nobody speaks HTTP/3")
        parameters = session._outside_parameters(host)
        script = script_of(("sections", "http3", "wire"), {**parameters, "sections": ["none"]}).rpartition(
            "from verification.remote.sections"
        )[0]
        script += f"import time\nPARAMETERS = json.loads({json.dumps(json.dumps(parameters))})\n{VISITORS}"
        with ThreadPoolExecutor(1) as pool:
            visit = pool.submit(session.observer.connection.run, "python3 -", stdin=script, timeout=60)
            for _ in range(5):
                time.sleep(2)
                host.sudo("nginx -s reload")
            ran = visit.result()
        if not ran.succeeded:
            sys.exit(f"the observer could not ask: {ran.stderr.strip()[-400:]}")
    print("| version | answers | requests that failed, of five reloads | of them | longest wait for an answer, s |\n|---|---|---|---|---|")
    for version, visitors in json.loads(ran.stdout).items():
        failed = [why for _count, reasons, _wait in visitors for why in reasons]
        reasons = ", ".join(f"{failed.count(why)} {why}" for why in sorted(set(failed))) or "none"
        longest = max(wait for _count, _reasons, wait in visitors)
        print(f"| {version} | {sum(count for count, *_ in visitors)} | {len(failed)} | {reasons} | {longest:.2f} |")


main(*sys.argv[1:])
