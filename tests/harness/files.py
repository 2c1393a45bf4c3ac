"""Files that programs write, and configurations that tests change."""
import json, os, re, socket

from tests.harness.paths import SOURCE


def text_of(path):
    """Empty for a file that is not there yet."""
    try:
        with open(path) as f:
            return f.read()
    except FileNotFoundError:
        return ''


def write(path, content, mode=None):
    with open(path, 'wb' if isinstance(content, bytes) else 'w') as f:
        f.write(content)
    if mode is not None:
        os.chmod(path, mode)
    return path


def json_lines(path):
    """Without a last line that is still being written; nothing where the file is not there yet."""
    text = text_of(path)
    return [json.loads(line) for line in text[:text.rfind('\n') + 1].splitlines()]


def edited(text, *changes):
    """Each change (pattern, replacement) must match once."""
    for pattern, replacement in changes:
        text, n = re.subn(pattern, replacement, text)
        assert n == 1, (pattern, n)
    return text


def edit(path, *changes):
    write(path, edited(text_of(path), *changes))


def configuration(name, *changes):
    """The text of configs/NAME.yaml, changed."""
    return edited(text_of(os.path.join(SOURCE, 'configs', name + '.yaml')), *changes)


def free_udp_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]
