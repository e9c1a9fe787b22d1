"""Talks to the page as a program or a browser that keeps to no rules: raw HTTP, and what came of it in one line."""

from __future__ import annotations

import json
import re
import secrets
from html import unescape
from typing import Any

import httpx

from .server import Server

FILE = {"meta": {"_type": "gradio.FileData"}}
_PROBLEM = re.compile(r'<p class="problem" role="alert">(.*?)</p>')


def last_event(told: str) -> tuple[str, Any]:
    """Name and values of the last event that a call sends: where it waits, a heartbeat comes every 15 seconds."""
    name, _, values = told.strip().rpartition("\n\n")[2].partition("\ndata: ")
    return name.removeprefix("event: "), json.loads(values)


class Client:
    """One sender. Every answer is a sentence or `Answer`."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._session = secrets.token_hex(5)  # Gradio takes as long to make a session as to answer
        self._http = httpx.Client(base_url=server.address, timeout=60, trust_env=False)
        config = self._http.get("config").json()
        dependencies = config["dependencies"]
        self._listeners = {one["api_name"]: one for one in dependencies if one["api_name"]}
        self._components = {one["id"]: one for one in config["components"]}
        self._info = self._http.get("gradio_api/info").json()["named_endpoints"]
        served = [one for one in dependencies if one["backend_fn"] and one["api_name"]]
        self.endpoints = {one["api_name"]: len(one["inputs"]) for one in served if not one["targets"]}
        """How many values each endpoint takes."""
        self.inputs = {
            name: [one["parameter_name"] for one in self._info[f"/{name}"]["parameters"]] for name in self.endpoints
        }
        """Their names, the photo's first."""
        self.listeners = {one["api_name"]: len(one["inputs"]) for one in served if one["targets"]}
        """The same of the page's own listeners."""

    def close(self) -> None:
        self._http.close()

    def upload(self, name: str, content: bytes) -> dict[str, Any]:
        """Send a file: what names it in a call.

        Raises:
            RefusedError: if the server takes no such file.
        """
        answer = self._http.post("gradio_api/upload", files={"files": (name, content)})
        if answer.status_code != 200:
            raise RefusedError(_sentence(answer))
        return {"path": answer.json()[0], "orig_name": name, **FILE}

    def upload_form(self, content: str, form: str) -> str:
        """As `upload`, of a form that may be none; gives the status."""
        answer = self._http.post("gradio_api/upload", content=content.encode(), headers={"Content-Type": form})
        return f"HTTP {answer.status_code}"

    def call(self, endpoint: str, data: Any) -> list[Any]:
        """The values of an endpoint.

        Raises:
            RefusedError: with its sentence, if it refuses.
        """
        body = json.dumps({"data": data, "session_hash": self._session})  # NaN and Infinity as Python writes them
        return self.call_raw(endpoint, body)

    def call_with(self, endpoint: str, photo: Any, **changed: Any) -> list[Any]:
        """As `call`, of defaults with some of them changed.

        Raises:
            KeyError: if the endpoint has no such input.
        """
        inputs = {
            one["parameter_name"]: one["parameter_default"] for one in self._info[f"/{endpoint}"]["parameters"][1:]
        }
        return self.call(endpoint, [photo, *_changed(inputs, changed).values()])

    def call_raw(self, endpoint: str, body: str) -> list[Any]:
        """As `call`, of a body that may be no JSON."""
        path = f"gradio_api/call/{endpoint}"
        asked = self._http.post(path, content=body, headers={"Content-Type": "application/json"})
        if asked.status_code != 200:
            raise RefusedError(_sentence(asked))
        event, values = last_event(self._http.get(f"{path}/{asked.json()['event_id']}").text)
        if event != "complete":
            raise RefusedError(unescape(str((values or {}).get("error"))))  # for the page it is HTML
        return list(values)

    def get(self, path: str) -> httpx.Response:
        return self._http.get(path)

    def press(self, listener: str, photo: Any, *, session: str | None = None, **changed: Any) -> str:
        """As `browse`, of what the page shows at first, with some controls changed: by their labels."""
        shown = [self._components[number] for number in self._listeners[listener]["inputs"]]
        inputs = {
            one["props"]["label"]: photo if one["type"] == "image" else one["props"].get("value") for one in shown
        }
        # In a session of its own: a job of a number that is not new is none.
        session = session or secrets.token_hex(5)
        return self.browse(listener, [*_changed(inputs, {"asked": 1} | changed).values()], session=session)

    def browse(self, listener: str, data: list[Any], *, event: Any = None, session: str | None = None) -> str:
        """All that a listener of the page sends, as text.

        Raises:
            RefusedError: with its sentence, if it refuses.
        """
        session = session or self._session
        body = {
            "fn_index": self._listeners[listener]["id"],
            "data": data,
            "session_hash": session,
            "event_data": event,
        }
        asked = self._http.post(
            "gradio_api/queue/join", content=json.dumps(body), headers={"Content-Type": "application/json"}
        )
        if asked.status_code != 200:
            raise RefusedError(_sentence(asked))
        told = []
        with self._http.stream("GET", "gradio_api/queue/data", params={"session_hash": session}) as stream:
            for line in stream.iter_lines():
                message = json.loads(line.partition("data: ")[2]) if line.startswith("data: ") else {}
                told.append(json.dumps(message.get("output", {})))
                if message.get("msg") == "process_completed":
                    if not message["success"]:
                        raise RefusedError(str(message["output"].get("error")))
                    break
        text = "\n".join(told)
        if problem := _PROBLEM.search(text.replace('\\"', '"')):
            raise RefusedError(unescape(json.loads(f'"{problem[1]}"')))
        return text


def _changed(inputs: dict[str, Any], changed: dict[str, Any]) -> dict[str, Any]:
    if unknown := set(changed) - set(inputs):
        raise KeyError(f"There is no {unknown}; there are {list(inputs)}.")
    return inputs | changed


class RefusedError(Exception):
    """The server said no, in a sentence."""


def _sentence(answer: httpx.Response) -> str:
    try:
        told = answer.json().get("detail", answer.text)
    except ValueError:
        told = answer.text
    return f"HTTP {answer.status_code}: {told}"
