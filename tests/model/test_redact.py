"""What looks like a secret goes, what only looks a little like one stays."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinyon.model import redact

# (text, the part that must go)
SECRETS = [
    ("AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE", "AKIAIOSFODNN7EXAMPLE"),
    (
        "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    ),
    ("token ghp_16C7e42F292c6912E7710c838347Ae178B4a", "ghp_16C7e42F292c6912E7710c838347Ae178B4a"),
    ("github_pat_11ABCDEFG0abcdefghijklmnop", "github_pat_11ABCDEFG0abcdefghijklmnop"),
    ("login hf_abcdefghijklmnopqrstuvwxyzABCDEFGH", "hf_abcdefghijklmnopqrstuvwxyzABCDEFGH"),
    ("WANDB_API_KEY=0123456789abcdef0123456789abcdef01234567", "0123456789abcdef0123456789abcdef01234567"),
    ("sk-proj-Abcd1234Efgh5678Ijkl9012", "sk-proj-Abcd1234Efgh5678Ijkl9012"),
    ("sk-ant-api03-Abcd1234Efgh5678Ijkl9012", "sk-ant-api03-Abcd1234Efgh5678Ijkl9012"),
    ("xoxb-1234567890-abcdefghij", "xoxb-1234567890-abcdefghij"),
    ("https://hooks.slack.com/services/T0000/B0000/XXXXXXXXXXXXXXXX", "T0000/B0000/XXXXXXXXXXXXXXXX"),
    ("AIzaSyA1234567890abcdefghijklmnopqrstuv", "AIzaSyA1234567890abcdefghijklmnopqrstuv"),
    ("ya29.a0AfH6SMBx1234567890abc", "ya29.a0AfH6SMBx1234567890abc"),
    ("glpat-abcdefghij1234567890", "glpat-abcdefghij1234567890"),
    (
        "eyJhbGciOiJIUzI1.eyJzdWIiOiIxMjM0.SflKxwRJSMeKKF2QT4",
        "eyJhbGciOiJIUzI1.eyJzdWIiOiIxMjM0.SflKxwRJSMeKKF2QT4",
    ),
    ("-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----", "MIIEow"),
    ("-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNz", "b3BlbnNz"),
    ("https://bob:hunter2@example.org/x", "hunter2"),
    ("postgres://u:p4ss@db:5432/x", "p4ss"),
    ("https://0123456789abcdefghijk@github.com/a/b", "0123456789abcdefghijk"),
    ("https://x.org/f?access_token=abcd1234efgh", "abcd1234efgh"),
    ("https://b.s3.amazonaws.com/f?X-Amz-Signature=0a1b2c3d4e5f&x=1", "0a1b2c3d4e5f"),
    ("train --password hunter2 --epochs 3", "hunter2"),
    ("train --password=hunter2", "hunter2"),
    ("train --api-key Zx81kfj29skq", "Zx81kfj29skq"),
    ("train --hf_token=Zx81kfj29skq", "Zx81kfj29skq"),
    ("DB_PASSWORD: 's3cret pass'", "s3cret pass"),
    ('{"client_secret": "Zx81-kfj2"}', "Zx81-kfj2"),
    ("Authorization: Bearer abcdef1234567890abcd", "abcdef1234567890abcd"),
    ("AccountKey=abcdEFGH1234abcdEFGH1234==", "abcdEFGH1234abcdEFGH1234=="),
    ("npm_abcdefghijklmnopqrstuvwxyz0123456789", "npm_abcdefghijklmnopqrstuvwxyz0123456789"),
    ("sk_live_abcdefghij1234567890", "sk_live_abcdefghij1234567890"),
    ("dapi0123456789abcdef0123456789abcdef", "dapi0123456789abcdef0123456789abcdef"),
    ("GOCSPX-abcdefghij1234567890", "GOCSPX-abcdefghij1234567890"),
]
HARMLESS = [
    "max_tokens=256", "--max-tokens 512", "tokenizer=bert-base-uncased", "--tokenizer tokenizer.json", "secret_sauce=0.3",
    'pad_token="[PAD]"', "eos_token=</s>", "--mask-token '<mask>'", "token_ids=[101, 2023, 102]", "--token-dim 64",
    "tokens_per_second=1234.5", "the password is wrong", "next token: hello", "secret: required", "password: null",
    "sk-learn-compatible-classifier", "scikit-learn==1.5.0", "num_keys=12", "key=value", "cache_key=9f3c1a2b9f3c1a2b9f3c",
    "keyboard=qwerty", "author=Key West", "blake3:" + "ab" * 32, "commit 0123456789abcdef0123456789abcdef01234567",
    "https://github.com/a/b.git", "git@github.com:a/b.git", "ssh://git@host:22/x", "http://localhost:8080/x?key=1&y=2",
    "PASSWORD=$DB_PASSWORD", "--password $(cat file)", "API_KEY=${API_KEY}", "password: Optional[str] = None",
    "token = tokenizer.encode(text)", 'api_key = os.environ["API_KEY"]', "password = get_password()",
    "Client(api_key=self.api_key)", "hf_hub_download", "asic design flow", "Bearer of bad news and of a lot more",
    "a-3f9a0c52d1e8-1-9845cbd5", "r-298779a0fb0d3903", "secret_key = settings.SECRET_KEY", "learning_rate=1e-3",
    "--token-file /run/secrets/token", "credentials: default", "tests/test_token.py::test_secret",
    "access_key_rotation=true",
]  # fmt: skip


@pytest.mark.parametrize(("text", "secret"), SECRETS)
def test_a_secret_goes_and_the_rest_stays(text: str, secret: str) -> None:
    left = redact.text(text)
    assert secret not in left
    assert redact.HIDDEN in left
    assert redact.suspicious(text)
    assert redact.text(left) == left  # nothing more goes the second time


@pytest.mark.parametrize("text", HARMLESS)
def test_what_only_looks_a_little_like_one_stays(text: str) -> None:
    assert redact.text(text) == text


def test_there_are_forty_kinds_of_look_alikes() -> None:
    assert len(set(HARMLESS)) >= 40
    assert len({secret for _, secret in SECRETS}) >= 30


def test_known_values_go_wherever_they_stand() -> None:
    values = redact.secret_values(
        {
            "MY_TOKEN": "correct-Horse-7", "DB_PASSWORD": 'quo"te\\d 9', "API_KEY": "short",
            "TOKENIZERS_PARALLELISM": "false",
            "SSH_AUTH_SOCK": "/run/x", "GOOGLE_CREDENTIALS": "/home/me/key-1.json", "MAX_TOKENS": "1234567890",
            "PATH": "/bin:x9",
            "SECRET": "production",
        }
    )  # fmt: skip
    assert set(values) == {"correct-Horse-7", 'quo"te\\d 9'}
    assert redact.text("xcorrect-Horse-7y", values) == "x***y"


def test_the_name_tells_that_a_value_is_secret() -> None:
    given = {
        "params": [
            ["", "db.password", "hunter2"],
            ["p.yaml", "api_key", "Zx81kfj29skq"],
            ["p.yaml", "max_tokens", 5],
        ],
        "command": ["exec", "train", "--password", "hunter2", "--epochs", "3"],
        "deps": [["data/token", "blake3:" + "ab" * 32]],
        "token": "abCD1234efgh",
        "outs": ["password", "hunter2"],
    }
    left = redact.value(given, keep=("outs",))
    assert "hunter2" not in json.dumps({**left, "outs": []})
    assert left["params"] == [
        ["", "db.password", "***"],
        ["p.yaml", "api_key", "***"],
        ["p.yaml", "max_tokens", 5],
    ]
    assert left["command"] == ["exec", "train", "--password", "***", "--epochs", "3"]
    assert left["deps"] == given["deps"]
    assert left["outs"] == given["outs"]


def test_a_hidden_part_is_taken_for_what_it_may_have_been() -> None:
    assert redact.covers("a --password *** b", "a --password hunter2 b")
    assert not redact.covers("a --password *** b", "a --password hunter2 c")
    assert not redact.covers("same", "same")  # equality is for others to see


@given(st.text(max_size=200), st.text(alphabet=st.characters(codec="ascii"), min_size=8, max_size=20))
def test_spans_are_sorted_apart_and_inside(around: str, value: str) -> None:
    text = f"{around} --password {value} {around} {value}"
    found = redact.spans(text, (value,))
    assert found == sorted(found)
    assert all(end <= start for (_, end), (start, _) in pairwise(found))
    assert all(0 <= start < end <= len(text) for start, end in found)
    assert value not in redact.text(text, (value,)) or value in redact.HIDDEN


@pytest.mark.parametrize(
    "path", [".env", "a/.env.local", "id_rsa", "x/key.pem", "credentials-prod.json", ".netrc"]
)
def test_files_that_usually_hold_secrets(path: str) -> None:
    assert redact.names_secret_file(path)


@pytest.mark.parametrize(
    "path", [".env.example", "environment.yml", "tokenizer.json", "monkey.py", "id_rsa.pub"]
)
def test_files_that_do_not(path: str) -> None:
    assert not redact.names_secret_file(path)
