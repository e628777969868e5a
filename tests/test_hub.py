"""Models in repositories of the Hugging Face Hub: a small server on this machine answers as the Hub does."""

import base64
import json
import pickle
import re
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file
from sklearn.exceptions import NotFittedError

from isthmus import AnomalyDetector, Autoencoder, BaggedAutoencoders, Decoder
from isthmus.hub import from_pretrained, push_to_hub, save_pretrained

huggingface_hub = pytest.importorskip("huggingface_hub")

X = np.random.default_rng(0).normal(size=(60, 4))
COMMIT = "c" * 40


@pytest.fixture(scope="module")
def model():
    return Autoencoder(2, max_epochs=1, random_state=0).fit(X)


class Hub(BaseHTTPRequestHandler):
    """Answers from ``server.files``: contents by repository and name; ``server.refusal`` is an error for all calls."""

    def do_HEAD(self):
        self._send_file(body=False)

    def do_GET(self):
        self._send_file(body=True)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.calls.append((self.path, self.headers.get("Authorization")))
        if self.server.refusal:
            self._answer(403, {}, b'{"error": "no"}')
        elif self.path.startswith("/api/repos/create"):
            self.server.created.append(json.loads(body))
            self.server.files.setdefault("{organization}/{name}".format(**json.loads(body)), {})
            self._answer(200, {}, json.dumps({"url": f"{self.server.url}/me/net", "id": "me/net"}).encode())
        elif "/preupload/" in self.path:
            paths = [file["path"] for file in json.loads(body)["files"]]
            files = [{"path": path, "uploadMode": "regular", "shouldIgnore": False} for path in paths]
            self._answer(200, {}, json.dumps({"files": files}).encode())
        elif "/commit/" in self.path:
            repo_id = "/".join(self.path.split("/")[3:5])
            for line in map(json.loads, body.decode().splitlines()):
                if line["key"] == "file":
                    content = base64.b64decode(line["value"]["content"])
                    self.server.files.setdefault(repo_id, {})[line["value"]["path"]] = content
            commit = {"commitUrl": f"{self.server.url}/{repo_id}/commit/{COMMIT}", "commitOid": COMMIT}
            self._answer(200, {}, json.dumps({**commit, "success": True}).encode())
        else:
            self._answer(200, {}, b'{"errors": [], "warnings": []}')

    def _send_file(self, body):
        owner, name, _, revision, path = [*self.path.lstrip("/").split("/", 4), ""][:5]
        files = self.server.files.get(f"{owner}/{name}")
        missing = self.server.refusal
        missing = missing or ("RepoNotFound" if files is None else "")
        missing = missing or ("RevisionNotFound" if revision not in ("main", COMMIT) else "")
        missing = missing or ("EntryNotFound" if path not in files else "")
        if missing:
            self._answer(403 if missing == "GatedRepo" else 404, {"X-Error-Code": missing}, b"")
        else:
            headers = {"X-Repo-Commit": COMMIT, "ETag": f'"{len(files[path])}"'}
            self._answer(200, headers, files[path], body)

    def _answer(self, status, headers, content, body=True):
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers, "Content-Length": len(content)}.items():
            self.send_header(name, str(value))
        self.end_headers()
        if body and self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *words):
        pass


@pytest.fixture
def hub(tmp_path, monkeypatch):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    server.url, server.files, server.calls, server.created = f"http://127.0.0.1:{server.server_port}", {}, [], []
    server.refusal = ""
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", server.url)
    template = f"{server.url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def read_card(text):
    return huggingface_hub.ModelCard(text).data.to_dict()


def test_an_uploaded_model_gives_the_same_codes(hub, model):
    address = push_to_hub(model, "me/net", private=True, license="mit", tags=["digits"], token="secret")
    assert address == f"{hub.url}/me/net/commit/{COMMIT}"
    (created,) = hub.created
    assert (created["organization"], created["name"]) == ("me", "net")
    assert created.get("visibility") == "private" or created.get("private") is True  # by versions of huggingface_hub
    assert {token for _, token in hub.calls if token} == {"Bearer secret"}
    assert sorted(hub.files["me/net"]) == ["README.md", "model.safetensors"]
    for revision in (None, COMMIT):
        np.testing.assert_array_equal(from_pretrained("me/net", revision=revision).transform(X), model.transform(X))


def test_a_card_has_metadata_and_facts(hub, model):
    push_to_hub(model, "me/net", license="mit", tags=["digits"])
    text = hub.files["me/net"]["README.md"].decode()
    assert read_card(text) == {
        "library_name": "isthmus",
        "license": "mit",
        "tags": ["isthmus", "autoencoder", "digits"],
    }
    assert 'model = from_pretrained("me/net")' in text
    assert "| estimator | `Autoencoder(max_epochs=1, random_state=0)` |" in text
    assert "| input | 4 features |" in text
    assert f"| weights | {sum(w.numel() for w in model.module_.parameters()):,} |" in text


def test_columns_are_named_in_a_card_and_keep_its_table(tmp_path):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(X, columns=["a|b", "c", "d", "e"])
    save_pretrained(Autoencoder(2, max_epochs=1).fit(frame), tmp_path)
    assert "| input | 4 columns: 'a\\|b', 'c', 'd', 'e' |" in (tmp_path / "README.md").read_text()


def test_a_card_of_the_user_is_kept_and_a_new_one_replaces_it(hub, model):
    hub.files["me/net"] = {"README.md": b"# By hand"}
    push_to_hub(model, "me/net")
    assert hub.files["me/net"]["README.md"] == b"# By hand"
    push_to_hub(model, "me/net", card="---\nlicense: mit\ntags: [mine]\n---\n# New", tags=["more"])
    text = hub.files["me/net"]["README.md"].decode()
    assert text.endswith("# New")
    assert read_card(text)["tags"] == ["mine", "isthmus", "autoencoder", "more"]
    assert read_card(text)["license"] == "mit"


def test_a_card_in_a_folder_is_kept(tmp_path, model):
    (tmp_path / "README.md").write_text("# By hand")
    save_pretrained(model, tmp_path)
    assert (tmp_path / "README.md").read_text() == "# By hand"
    save_pretrained(model, tmp_path, card="# New")
    assert "# New" in (tmp_path / "README.md").read_text()


ESTIMATORS = {
    "detector": lambda: AnomalyDetector(Autoencoder(2, max_epochs=1), calibration="split", random_state=0).fit(X),
    "decoder": lambda: Decoder(Autoencoder(2, max_epochs=1, random_state=0).fit(X)),
    "bag": lambda: BaggedAutoencoders(Autoencoder(2, max_epochs=1), 2, random_state=0).fit(X),
}


@pytest.mark.parametrize("name", ESTIMATORS)
def test_a_folder_holds_any_estimator_that_save_takes(name, tmp_path):
    estimator = ESTIMATORS[name]()
    save_pretrained(estimator, tmp_path / "new" / "folder")
    again = from_pretrained(tmp_path / "new" / "folder")
    assert type(again) is type(estimator)
    card = (tmp_path / "new" / "folder" / "README.md").read_text()
    assert f"A fitted `{type(estimator).__name__}` of isthmus" in card
    assert card.count("\n| ") >= 4


@pytest.mark.parametrize(
    ("refusal", "words"),
    [
        ("RepoNotFound", "does not exist, or it is private and the token gives no access"),
        ("RevisionNotFound", "has no such revision"),
        ("GatedRepo", "is open only to users who have accepted its conditions on its page"),
        ("EntryNotFound", "has no file model.safetensors, so it was not written by push_to_hub"),
    ],
)
def test_what_the_hub_lacks_is_told_in_one_sentence(refusal, words, hub):
    hub.refusal = refusal
    with pytest.raises(FileNotFoundError) as found:
        from_pretrained("me/other")
    folder = str(Path("me/other").absolute())
    assert str(found.value) == f"the repository 'me/other' {words}; there is no folder {folder!r} either"


def test_a_refused_upload_names_the_repository(hub, model):
    hub.refusal = "Forbidden"
    with pytest.raises(OSError, match="^the Hub did not answer for 'me/net': .*403") as found:
        push_to_hub(model, "me/net")
    assert "\n" not in str(found.value)


def test_without_network_the_cache_answers_or_the_error_tells_so(hub, model, monkeypatch):
    push_to_hub(model, "me/net")
    from_pretrained("me/net")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    np.testing.assert_array_equal(from_pretrained("me/net").transform(X), model.transform(X))
    with pytest.raises(FileNotFoundError, match="'me/other' cannot be reached, and the cache has no copy"):
        from_pretrained("me/other")


@pytest.mark.parametrize("name", ["typo", "./nowhere/model", "a/b/c", "../models/net"])
def test_a_path_is_not_looked_for_on_the_hub(name, monkeypatch):
    monkeypatch.setattr("isthmus.hub.sharing._open_hub", None)  # any use of the Hub fails
    message = f"there is no folder {str(Path(name).absolute())!r}, and {name!r} is not the name of a repository"
    with pytest.raises(FileNotFoundError, match=f"^{re.escape(message)}, such as 'user/name'$"):
        from_pretrained(name)


def test_a_name_that_cannot_be_a_repository_is_refused(hub, model):
    with pytest.raises(ValueError, match=r"^'a/b/c' is not the name of a repository, such as 'user/name'$"):
        push_to_hub(model, "a/b/c")


def test_a_second_model_gets_its_own_facts_and_keeps_what_was_written_by_hand(tmp_path, hub, model):
    other = BaggedAutoencoders(Autoencoder(2, max_epochs=1), 2, random_state=0).fit(X)
    save_pretrained(model, tmp_path / "net")
    card = tmp_path / "net" / "README.md"
    card.write_text(card.read_text() + "\n## Use\n\nOnly for tests.\n")
    save_pretrained(other, tmp_path / "net", tags=["two"])
    text = card.read_text()
    assert "A fitted `BaggedAutoencoders` of isthmus" in text
    assert "`Autoencoder`" not in text
    assert text.endswith("## Use\n\nOnly for tests.\n")
    assert read_card(text)["tags"] == ["isthmus", "autoencoder", "two"]
    for each in (model, other):
        push_to_hub(each, "me/net")
    assert "A fitted `BaggedAutoencoders` of isthmus" in hub.files["me/net"]["README.md"].decode()


def test_files_of_others_are_not_loaded(hub, tmp_path):
    save_file({"weight": np.zeros(2)}, tmp_path / "theirs")
    hub.files["me/theirs"] = {"model.safetensors": (tmp_path / "theirs").read_bytes()}
    with pytest.raises(ValueError, match="is a safetensors file, but not a model file of isthmus"):
        from_pretrained("me/theirs")
    hub.files["me/pickled"] = {"model.safetensors": pickle.dumps(print)}
    with pytest.raises(ValueError, match="is damaged or not a model file of isthmus"):
        from_pretrained("me/pickled")
    with pytest.raises(FileNotFoundError, match="there is no model file"):
        from_pretrained(tmp_path)


def test_an_estimator_that_is_not_fitted_uploads_nothing(hub):
    with pytest.raises(NotFittedError):
        push_to_hub(Autoencoder(), "me/net")
    assert hub.calls == []


def test_without_the_library_the_extra_is_named(monkeypatch, model, tmp_path):
    save_pretrained(model, tmp_path / "model")
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    for call in (
        lambda: push_to_hub(model, "me/net"),
        lambda: from_pretrained("me/net"),
        lambda: save_pretrained(model, tmp_path / "other"),
    ):
        with pytest.raises(ImportError, match=r'^the Hub needs huggingface_hub: pip install "isthmus\[hub\]"$'):
            call()
    assert not (tmp_path / "other").exists()
    assert from_pretrained(tmp_path / "model").n_components == 2
