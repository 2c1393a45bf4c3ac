"""What the package says of itself: stubs that agree with the module, docstrings, types."""
import ast, dataclasses, importlib.util, inspect, os, re, subprocess, sys, typing

import pytest

import prose
from prose import _native

STUB = os.path.join(os.path.dirname(prose.__file__), '_native.pyi')


def stubs():
    """Name -> parameters with `*` where only keywords follow, None for properties; classes have names with dots."""
    found = {}

    def parameters(f):
        a = f.args
        return [x.arg for x in a.posonlyargs + a.args if x.arg != 'self'] + (['*'] if a.kwonlyargs else []) + [x.arg for x in a.kwonlyargs]

    for node in ast.parse(open(STUB).read()).body:
        if isinstance(node, ast.FunctionDef):
            found[node.name] = parameters(node)
        elif isinstance(node, ast.ClassDef):
            for f in node.body:
                if isinstance(f, ast.FunctionDef):
                    found['%s.%s' % (node.name, f.name)] = None if f.decorator_list else parameters(f)
    return found


def of_module():
    """The same from what pybind11 writes into docstrings."""
    found = {}

    def parameters(doc):
        text = re.match(r'\w+\((.*?)\)(?: -> .*)?$', doc.splitlines()[0])
        names = re.findall(r'(?:^|, )(\*|\w+)(?=: |, |$)', text[1])
        return [n for n in names if n not in ('self', 'arg0')]

    for name, thing in vars(_native).items():
        if inspect.isclass(thing) and not issubclass(thing, Exception):
            for member, value in vars(thing).items():
                if isinstance(value, property):
                    found['%s.%s' % (name, member)] = None
                elif callable(value) and (not member.startswith('_') or member in ('__init__', '__iter__', '__next__', '__enter__')):
                    found['%s.%s' % (name, member)] = parameters(value.__doc__)
        elif callable(thing) and not inspect.isclass(thing):
            found[name] = parameters(thing.__doc__)
    return found


def test_stubs_and_module_agree():
    of_stub = {n: p for n, p in stubs().items() if not n.endswith(('__eq__', '__exit__'))}
    assert of_stub == of_module() and len(of_stub) > 60


def test_defaults_of_the_stubs_are_those_of_the_module():
    stub = re.sub(r'\s+', ' ', open(STUB).read())
    for name, thing in vars(_native.Receiver).items():
        if name == '__init__':
            wanted = re.findall(r'(\w+): [^=,]+(?:\[[^]]*\])?[^=,]* = ([^,)]+)', thing.__doc__.splitlines()[0])
            assert len(wanted) > 10
            for key, value in wanted:
                assert re.search(r'\b%s: [^=]+= %s[,)]' % (key, re.escape(value)), stub), (key, value)


def test_every_name_is_there_and_documented():
    assert sorted(prose.__all__, key=str.lower) == sorted(set(prose.__all__), key=str.lower)
    for name in prose.__all__:
        thing = getattr(prose, name)
        if typing.get_origin(thing) is typing.Union:
            continue
        if inspect.isclass(thing) or callable(thing) and not name.startswith('_') and hasattr(thing, '__name__'):
            text = thing.__doc__ or ''
            assert len(text.split('\n')[0]) >= 20 or len(text) > 60, name
            assert not (dataclasses.is_dataclass(thing) and text.startswith(thing.__name__ + '(')), name
    assert re.fullmatch(r'\d+\.\d+\.\d+', prose.__version__) and os.path.exists(os.path.join(os.path.dirname(prose.__file__), 'py.typed'))


def test_types_hold(tmp_path):
    """mypy over the package and a use of it, where mypy is there."""
    if importlib.util.find_spec('mypy') is None:
        pytest.skip('mypy is not installed')
    use = tmp_path / 'use.py'
    use.write_text('import prose\nfor e in prose.Receiver("x", carrier="prb=50,tm=4"):\n    if isinstance(e, prose.TbEvent):\n'
                   '        n: int = e.tbs\n        d: bytes = e.data\nr = prose.SubframeReceiver(prose.Carrier())\nprint(r.grid().shape)\n')
    env = dict(os.environ, MYPYPATH=os.path.dirname(os.path.dirname(prose.__file__)), MYPY_CACHE_DIR=str(tmp_path / 'cache'))
    p = subprocess.run([sys.executable, '-m', 'mypy', '--strict', str(use)], env=env, capture_output=True, text=True, cwd=tmp_path)
    assert p.returncode == 0, p.stdout + p.stderr


def test_an_error_is_a_value_error():
    assert issubclass(prose.Error, ValueError)
    with pytest.raises(ValueError, match='^tm 9: accepted: 1 to 4$'):
        prose.Carrier(tm=9)
