"""requests with sseclient-py, as in the documents' Python example.

sseclient-py neither reconnects nor resumes, so the loop does what its user would.
Usage: python.py URL [TOKEN]; what it prints is described in ../README.md.
"""

import json
import sys
import time

import requests
import sseclient


def main(url, token=None):
    headers = {"Accept": "text/event-stream"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    while True:
        try:
            response = requests.get(url, headers=headers, stream=True, timeout=60)
            if response.status_code != 200:
                print("refused", response.status_code, flush=True)
                return
            print("open", flush=True)
            for event in sseclient.SSEClient(response).events():
                headers["Last-Event-ID"] = event.id or headers.get("Last-Event-ID")
                subject = json.loads(event.data)["subject"]["id"] if event.event == "cdevent" else "-"
                print("event", event.event, event.id, subject, flush=True)
        except requests.exceptions.RequestException:
            pass  # refused, reset, or ended without the last chunk: connect again
        time.sleep(0.2)


if __name__ == "__main__":
    main(*sys.argv[1:])
