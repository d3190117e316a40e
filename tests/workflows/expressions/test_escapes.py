"""Known ways out of template sandboxes: each is refused, or leads nowhere."""

from __future__ import annotations

from typing import Any

import pytest
from jinja2 import Environment, Template
from jinja2 import compiler as generator

from tests.workflows.expressions.conftest import KNOWN, make_scope
from workflows.expressions import (
    ExpressionError,
    MissingError,
    compiler,
    render,
    truth,
)

# From published lists of server-side template injections for Jinja and its kin.
REFUSED = [
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ [].__class__.__base__.__subclasses__() }}",
    "{{ ().__class__.__bases__[0].__subclasses__()[59].__init__.__globals__ }}",
    "{{ ''['__cla' ~ 'ss__']['__mro__'][1]() }}",
    "{{ trigger.__class__.__init__.__globals__['os'].popen('id').read() }}",
    "{{ ''|attr('__class__') }}",
    "{{ ''|attr('__cla' ~ 'ss__')|attr('__mro__') }}",
    "{{ trigger|attr('get') }}",
    "{{ trigger.payload.get('order') }}",
    "{{ trigger.payload.order.items() }}",
    "{{ trigger.payload.pop('order') }}",
    "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "{{ joiner.__init__.__globals__ }}",
    "{{ namespace.__init__.__globals__ }}",
    "{{ lipsum.__globals__['os'].popen('id').read() }}",
    "{{ lipsum() }}",
    "{{ lipsum(n=10**9) }}",
    "{{ range(10**9) }}",
    "{{ range(1000000000)|list }}",
    "{{ dict(a=1) }}",
    "{{ self }}",
    "{{ self.__init__ }}",
    "{{ self._TemplateReference__context }}",
    "{{ request.application.__globals__ }}",
    "{{ request['__class__'] }}",
    "{{ config.items() }}",
    "{{ config }}",
    "{{ settings.SECRET_KEY }}",
    "{{ get_flashed_messages.__globals__ }}",
    "{{ url_for.__globals__ }}",
    "{{ g.pop.__globals__ }}",
    "{{ loop.index }}",
    "{{ caller() }}",
    "{{ varargs }}",
    "{{ kwargs }}",
    "{{ super() }}",
    "{{ environment }}",
    "{{ context }}",
    "{{ __import__('os').system('id') }}",
    "{{ open('/etc/passwd').read() }}",
    "{{ eval('1') }}",
    "{{ exec('1') }}",
    "{{ getattr('', '__class__') }}",
    "{{ ''.format(1) }}",
    "{{ '{0.__class__}'.format('') }}",
    "{{ '{0.__class__.__mro__}'.format_map({}) }}",
    "{{ '%s'|format('a') }}",
    "{{ '{0.__class__}'|format('') }}",
    "{{ 'a'.join(['b']) }}",
    "{{ ['id']|map('system')|list }}",
    "{{ [1]|map('string')|join }}",
    "{{ [1]|map(attribute='__class__') }}",
    "{{ [1]|map(attribute='real') }}",
    "{{ [[]]|map(attribute='append') }}",
    "{{ [trigger]|map(attribute='__class__.__mro__') }}",
    "{{ [{}]|selectattr('__class__', 'ne', none)|first }}",
    "{{ [1]|sort(attribute='__class__') }}",
    "{{ 'a'|safe }}",
    "{{ 'a'|e }}",
    "{{ 'a'|xmlattr }}",
    "{{ [1]|random }}",
    "{{ {}|pprint }}",
    "{{ 'a'|tojson }}",
    "{{ 'a'|list }}",
    "{{ [1]|batch(1) }}",
    "{{ 'http://a b'|urlize }}",
    "{{ 'x'|filesizeformat }}",
    "{{ 1|indent(10**9) }}",
    "{{ 'a'|center(1000000000) }}",
    "{{ 'a'|wordwrap(1) }}",
    "{{ [1] is callable }}",
    "{{ 1 is sameas 1 }}",
    "{{ 'upper' is filter }}",
    "{{ trigger() }}",
    "{{ trigger.payload() }}",
    "{{ (trigger)() }}",
    "{{ 'a'() }}",
    "{{ namespace(a=1) }}",
    "{{ _('a') }}",
    "{{ ngettext('a', 'b', 1) }}",
    "{{ debug() }}",
    "{{ [x for x in [1]] }}",
    "{{ lambda: 1 }}",
    "{{ (yield) }}",
    "{{ await trigger }}",
    "{{ a := 1 }}",
    "{{ f'{trigger}' }}",
    "{{ b'a' }}",
    "{{ `id` }}",
    "{{ trigger; secrets }}",
    "{{ trigger }} {{",
    "{{ trigger.payload[::2] }}",
    "{{ [1, 2][::-1] }}",
    "{{ trigger.payload[...] }}",
    "{{ {**trigger} }}",
    "{{ [*trigger] }}",
    "{{ 2**2 }}",
    "{{ 'a' * 10**9 }}",
    "{% for x in [1] %}{% endfor %}",
    "{% if true %}{% endif %}",
    "{% set x = 1 %}",
    "{% macro m() %}{% endmacro %}",
    "{% call m() %}{% endcall %}",
    "{% import 'os' as os %}",
    "{% from 'os' import path %}",
    "{% include '/etc/passwd' %}",
    "{% extends 'base' %}",
    "{% block a %}{% endblock %}",
    "{% raw %}{{ 1 }}{% endraw %}",
    "{% filter upper %}a{% endfilter %}",
    "{% with a=1 %}{% endwith %}",
    "{% autoescape false %}{% endautoescape %}",
    "{% trans %}a{% endtrans %}",
    "{% do trigger.pop() %}",
    "{% debug %}",
    "{%- print 1 -%}",
    "{{ '' }}{% x",
    # Ways that were found in Jinja's own sandbox (CVE-2016-10745, CVE-2019-10906,
    # CVE-2024-22195, CVE-2024-56201, CVE-2024-56326, CVE-2025-27516), and their kin.
    "{{ ('{0.__class__}'|attr('format'))('') }}",
    "{{ ['{0.__class__}'.format][0](1) }}",
    "{{ ['{0.__class__}']|map('format', 1)|first }}",
    "{{ '{0.__class__}'|attr('format_map') }}",
    "{{ '%c%c' % (95, 95) }}",
    "{{ '%s' % trigger }}",
    "{{ {'onload=alert(1) a': 1}|xmlattr }}",
    "{{ [1]|groupby('__class__') }}",
    "{{ {}|dictsort }}",
    "{{ [1]|map('attr', '__class__')|list }}",
    "{{ [1]|reject('callable') }}",
    "{{ [1]|select('sameas', 1)|list }}",
    "{{ ''|attr(['_'*2, 'class', '_'*2]|join) }}",
    "{{ ''|attr('\\x5f\\x5fclass\\x5f\\x5f') }}",
    "{{ trigger.payload|attr('__init__')|attr('__globals__') }}",
    "{{ cycler('a').next() }}",
    "{{ joiner()() }}",
    "{{ loop.cycle('a') }}",
    "{{ self.block() }}",
    "{{ ｌipsum() }}",  # noqa: RUF001 - full-width letters, on purpose
    "{{ lipsum.__ｇlobals__ }}",  # noqa: RUF001 - full-width letters, on purpose
    "{{ range(0, 10**10)|sum }}",
    "{{ 9**9**9 }}",
    "{{ [0] * 10**9 }}",
    "{{ (1, 2) * 10**9 }}",
    "{{ 'a' * 1000000 * 1000000 }}",
    "{{ 'a'|regex_replace('(a+)+$', '') }}",
    "{{ 'a'|regex_search('(a|aa)+$') }}",
    "{{ lookup('pipe', 'id') }}",
    "{{ query('pipe', 'id') }}",
    "{{ config.from_pyfile('/etc/passwd') }}",
    "{{ ''|filter }}",
    "{{ '' is test }}",
    "{{ ''|map }}",
    "{{ [1]|slice(10**9) }}",
    "{{ 'a'|wordcount }}",
    "{{ 'a'|striptags }}",
    "{{ 'a'|forceescape }}",
    "{{ '<a>'|escape }}",
    "{{ 1|pprint }}",
    "{{ trigger.payload.order|attr('items')() }}",
    "{{ caller.__globals__ }}",
    "{{ undefined.__class__() }}",
    "{{ _.__class__ }}",
    "{{ __builtins__ }}",
    "{{ __name__ }}",
    "{{ __debug__ }}",
    "{{ not_there.__init__ }}",
    "{# a #}{{ lipsum }}{# b #}",
    "{{ 1 }}{# never closed",
    "{%- set a = ''.__class__ -%}{{ a }}",
    "{%+ if 1 +%}{% endif %}",
    "{% for i in range(10**9) %}{% endfor %}",
    "{% for a in [1] recursive %}{{ loop([1]) }}{% endfor %}",
    "{% import 'x' as y with context %}",
    "{% include ['a', 'b'] ignore missing %}",
    "{% set x = namespace() %}",
    "{% continue %}",
    "{% break %}",
    "{{ async }}",
    "{{ [async for x in y] }}",
    "{{ trigger.payload.__class__() }}",
    "{{ trigger.﹍﹍class﹍﹍ }}",  # noqa: RUF001 - full-width letters, on purpose
    "{{ [1]|map(attribute='__class__.__name__')|list }}",
]

# Read like ordinary paths, and lead to keys that are not there.
NOWHERE = [
    "{{ trigger.__class__ }}",
    "{{ trigger['__class__'] }}",
    "{{ trigger.payload.__init__.__globals__ }}",
    "{{ trigger.payload.user.name.__class__.__mro__ }}",
    "{{ trigger.payload.user.name['__class__'] }}",
    "{{ trigger.payload.user.name['__cla' ~ 'ss__'] }}",
    "{{ ''['\\x5f\\x5fclass\\x5f\\x5f'] }}",
    "{{ ''.__class__ }}",
    "{{ 1 .real }}",
    "{{ 1.5.hex }}",
    "{{ true.__class__ }}",
    "{{ [].append }}",
    "{{ [].__len__ }}",
    "{{ {}.update }}",
    "{{ {}.keys }}",
    "{{ {}.items }}",
    "{{ {}['__class__'] }}",
    "{{ (1, 2).__class__ }}",
    "{{ (trigger | json).__class__ }}",
    "{{ ('a' | upper).encode }}",
    "{{ trigger.payload.order.items.__class__ }}",
    "{{ trigger.payload.order.items.append }}",
    "{{ trigger.payload.order.total.as_integer_ratio }}",
    "{{ trigger.get }}",
    "{{ trigger.payload.order.note.__class__ }}",
    "{{ steps.__dict__ }}",
    "{{ variables.__getitem__ }}",
    "{{ variables.copy }}",
    "{{ secrets }}",
    "{{ secrets.TOKEN }}",
    "{{ item }}",
    "{{ index }}",
    "{{ none.__class__ }}",
    "{{ [none][0].__class__ }}",
    "{{ ['{0.__class__}'.format]|first }}",
    "{{ None.__class__.__bases__ }}",
    "{{ trigger.__ｃlass__ }}",  # noqa: RUF001 - full-width letters, on purpose
    "{{ ''.ﬀ }}",
    "{{ (1).__class__ }}",
    "{{ ''['format'] }}",
    "{{ [''.format] }}",
    "{{ {'a': ''.join}.a }}",
    "{{ trigger['\\u005f\\u005fclass\\u005f\\u005f'] }}",
    "{{ [].0 }}",
    "{{ ''[0].__class__ }}",
    "{{ [[]][0].append }}",
]


@pytest.mark.parametrize("text", REFUSED)
def test_a_known_escape_is_refused(text: str) -> None:
    with pytest.raises(ExpressionError):
        render(text, make_scope(), known_names=KNOWN)


@pytest.mark.parametrize("text", REFUSED)
def test_a_known_escape_is_refused_within_a_condition(text: str) -> None:
    with pytest.raises(ExpressionError):
        truth(f"{text} == 1", make_scope(), known_names=KNOWN)


@pytest.mark.parametrize("text", NOWHERE)
def test_attributes_of_python_objects_lead_nowhere(text: str) -> None:
    with pytest.raises(MissingError):
        render(text, make_scope(), known_names=KNOWN)


@pytest.mark.parametrize("name", ["items", "keys", "get", "__class__", "pop", "update"])
def test_a_key_named_like_a_method_is_just_a_key(name: str) -> None:
    scope = {"item": {name: "mine"}}
    assert render(f"{{{{ item.{name} }}}}", scope) == "mine"
    assert render(f"{{{{ item['{name}'] }}}}", scope) == "mine"
    assert render(f"{{{{ [item] | map(attribute='{name}') }}}}", scope) == ["mine"]


def test_nothing_of_jinja_but_its_parser_is_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_args: Any, **_kwargs: Any) -> Any:
        raise AssertionError

    monkeypatch.setattr(generator, "generate", refuse)
    for cls in (Environment, Template):
        for name in ("render", "from_string", "compile", "compile_expression"):
            if hasattr(cls, name):
                monkeypatch.setattr(cls, name, refuse)
    assert render("{{ variables.jinja | default(1) + 41 }}", {}) == 42


def test_the_evaluator_knows_only_these_nodes() -> None:
    names = {node.__name__ for node in compiler.NODES}
    assert names == {
        "Const", "List", "Tuple", "Dict", "Name", "Getattr", "Getitem", "Add", "Sub",
        "Mul", "Div", "FloorDiv", "Mod", "Neg", "Pos", "Concat", "And", "Or", "Not",
        "CondExpr", "Compare", "Filter", "Test",
    }  # fmt: skip


PAYLOADS = [
    "{{ secrets.TOKEN }}",
    "{{ 7 * 7 }}",
    "{% raw %}",
    "{# gone? #}",
    "}} {{ secrets.TOKEN }} {{",
    "' ~ secrets.TOKEN ~ '",
    '") ~ secrets.TOKEN ~ ("',
    "${secrets.TOKEN}",
    "#{7*7}",
    "<%= 7*7 %>",
    "%(x)s {0.__class__}",
    "\\u007b\\u007b secrets.TOKEN }}",
]


@pytest.mark.parametrize("payload", PAYLOADS)
def test_what_a_sender_wrote_is_never_evaluated(payload: str) -> None:
    scope = {"trigger": {"payload": {"a": payload}}, "secrets": {"TOKEN": "s3cr3t"}}

    def rendered(tree: Any) -> Any:
        return render(tree, scope)

    assert rendered("{{ trigger.payload.a }}") == payload
    assert rendered("<{{ trigger.payload.a }}>") == f"<{payload}>"
    assert rendered("{{ trigger.payload.a ~ trigger.payload.a }}") == payload * 2
    assert rendered("{{ trigger.payload }}") == {"a": payload}
    assert rendered("{{ [trigger.payload.a] }}") == [payload]
    assert rendered("{{ trigger.payload.a | trim | string }}") == payload.strip()
    assert rendered("{{ trigger.payload | json | from_json }}") == {"a": payload}
    assert rendered("{{ trigger.payload.a | b64encode | b64decode }}") == payload
    assert rendered("{{ 'x' | replace('x', trigger.payload.a) }}") == payload
    assert rendered({"{{ trigger.payload.a }}": 1}) == {payload: 1}
    assert rendered("{{ trigger.nowhere | default(trigger.payload.a) }}") == payload
    with pytest.raises(MissingError) as caught:
        rendered("{{ trigger[trigger.payload.a] }}")
    assert "s3cr3t" not in str(caught.value)


def test_messages_hold_no_values() -> None:
    scope = {"item": {"n": 5, "KEY": "s3cr3t-value"}, "index": 0}
    expressions = [
        "item.KEY.x", "item.KEY + 1", "item.KEY * 2", "item.KEY < 1",
        "-item.KEY", "item.KEY[0]", "item.KEY | int", "item.KEY | float",
        "item.KEY | bool", "item.KEY | join", "item.KEY | from_json",
        "item.KEY | b64decode", "item.KEY | date_format",
        "'2026-01-01' | date_format('%Q' ~ item.KEY)", "item[item.KEY]",
        "1 in item.KEY", "[1] | select(item.KEY, 1)",
        "[{}] | map(attribute=item.KEY)", "'a' | trim(item.KEY ~ item.KEY "
        "~ item.KEY ~ item.KEY ~ item.KEY)", "item | pick(1, item.KEY)",
        "[1][:item.KEY]", "1 | round(item.KEY)", "item.KEY | min",
    ]  # fmt: skip
    for expression in expressions:
        with pytest.raises(ExpressionError) as caught:
            render(f"{{{{ {expression} }}}}", scope)
        error: BaseException | None = caught.value
        while error is not None:
            if not isinstance(error, KeyError):
                assert "s3cr3t" not in str(error), expression
            error = error.__cause__ or (
                None if error.__suppress_context__ else error.__context__
            )
