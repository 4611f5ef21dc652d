/**
 * The questions asked of a Python kernel about its variables, and how its answers are read.
 *
 * Pure. Each question is one expression for a silent `execute_request`: it leaves no name behind,
 * prints nothing and is not counted. Answers are JSON in base64, which a kernel shows as a plain
 * quoted string whatever formatters are installed. A repr is text here and stays text.
 */

import { isVariablePath } from '../chat/variable_path.js';
import { isRecord } from '../guards.js';

/** What a variable's repr may have; characters. */
export const MAX_VARIABLE_CHARACTERS = 4_000;
const MAX_NAMES = 500;

/** What a kernel tells of a value. */
export interface VariableAnswer {
  readonly type: string;
  /** Shape, length, dtypes – or ''. */
  readonly facts: string;
  readonly text: string;
  readonly isTruncated: boolean;
}

/** A name in a kernel and the type of its value. */
export interface VariableName {
  readonly name: string;
  readonly type: string;
}

/** An answer that is not what was asked for. */
export class QueryError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'QueryError';
  }
}

// Runs in a namespace of its own. What a library offers for short reprs is used only where the
// library is loaded already; nothing is imported but the standard library.
const DESCRIBE = `
def describe(value):
    import base64, contextlib, itertools, json, reprlib, sys
    limit = ${MAX_VARIABLE_CHARACTERS}
    kind = type(value)
    module = str(getattr(kind, "__module__", "") or "")
    title = kind.__qualname__ if module == "builtins" else module + "." + kind.__qualname__
    facts = []
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple):
        facts.append("shape " + str(tuple(shape)))
    elif isinstance(value, (list, tuple, dict, set, frozenset, str, bytes, bytearray)):
        facts.append(str(len(value)) + (" characters" if isinstance(value, str) else " items"))
    if module.split(".")[0] in ("pandas", "polars") and hasattr(value, "dtypes"):
        names, types = getattr(value, "columns", None), value.dtypes
        if names is None:
            facts.append("dtype " + str(types))
        else:
            pairs = list(zip(list(names)[:50], list(types)[:50]))
            facts.append("dtypes " + ", ".join(str(n) + ": " + str(t) for n, t in pairs))
            if len(names) > 50:
                facts.append(str(len(names) - 50) + " more columns")
    elif hasattr(value, "dtype"):
        facts.append("dtype " + str(value.dtype))
    class Short(reprlib.Repr):
        # As it is, reprlib sorts all keys first.
        def repr_dict(self, items, level):
            if not items or level <= 0:
                return "{...}" if items else "{}"
            pieces = [
                self.repr1(key, level - 1) + ": " + self.repr1(item, level - 1)
                for key, item in itertools.islice(items.items(), 100)
            ]
            return "{" + ", ".join(pieces + ["..."] * (len(items) > 100)) + "}"
    short = Short()
    short.maxlevel = 4
    short.maxlist = short.maxtuple = short.maxset = short.maxfrozenset = 100
    short.maxdeque = short.maxarray = 100
    short.maxstring = short.maxother = short.maxlong = limit + 1
    with contextlib.ExitStack() as stack:
        pandas, numpy = sys.modules.get("pandas"), sys.modules.get("numpy")
        if pandas is not None and module.startswith("pandas"):
            rows = ("display.max_rows", 20, "display.min_rows", 10, "display.max_columns", 20)
            stack.enter_context(pandas.option_context(*rows, "display.width", 120))
        if numpy is not None and module.startswith("numpy"):
            stack.enter_context(numpy.printoptions(threshold=200, edgeitems=3, linewidth=100))
        if (isinstance(value, str) or kind is bytes) and len(value) > limit:
            text, is_cut = repr(value[:limit]), True
        elif kind in (list, tuple, set, frozenset, dict, int):
            text = short.repr(value)
            is_cut = "..." in text
        else:
            text, is_cut = repr(value), False
    if len(text) > limit:
        text, is_cut = text[: limit - 2] + " \\u2026", True
    answer = {"type": title[:200], "facts": "; ".join(facts)[:2000]}
    answer.update(text=text, is_truncated=bool(is_cut))
    return base64.b64encode(json.dumps(answer).encode()).decode()
`;

const LIST_NAMES = `
def names(space):
    import base64, json, types
    hidden = {"In", "Out", "exit", "quit", "get_ipython", "open"}
    skipped = (types.ModuleType, types.FunctionType, types.BuiltinFunctionType, type)
    found = [
        {"name": name, "type": type(value).__qualname__[:60]}
        for name, value in list(space.items())
        if isinstance(name, str) and not name.startswith("_")
        and name not in hidden and not isinstance(value, skipped)
    ]
    found.sort(key=lambda entry: entry["name"])
    return base64.b64encode(json.dumps(found[:${MAX_NAMES}]).encode()).decode()
`;

/** One expression that runs a definition in a namespace of its own and calls what it defined. */
function callOf(definition: string, name: string, argument: string): string {
  return `(lambda space: (exec(${JSON.stringify(definition)}, space), space["${name}"])[1])({})(${argument})`;
}

/**
 * The expression that describes a variable.
 *
 * @throws QueryError where `path` is more than a name, attributes and literal indices.
 */
export function valueQuery(path: string): string {
  if (!isVariablePath(path)) {
    throw new QueryError('not a variable');
  }
  return callOf(DESCRIBE, 'describe', path);
}

/** The expression that lists the names a person made. */
export function namesQuery(): string {
  return callOf(LIST_NAMES, 'names', 'globals()');
}

function decode(quoted: string): unknown {
  const match = /^(['"])([A-Za-z0-9+/=]*)\1$/.exec(quoted.trim());
  if (match?.[2] === undefined) {
    throw new QueryError('the kernel sent an answer that cannot be read');
  }
  try {
    const bytes = Uint8Array.from(atob(match[2]), character => character.charCodeAt(0));
    return JSON.parse(new TextDecoder().decode(bytes)) as unknown;
  } catch {
    throw new QueryError('the kernel sent an answer that cannot be read');
  }
}

/** Read the answer to {@link valueQuery}: the `text/plain` of the expression. */
export function readValueAnswer(quoted: string): VariableAnswer {
  const answer = decode(quoted);
  if (
    !isRecord(answer) ||
    typeof answer.type !== 'string' ||
    typeof answer.facts !== 'string' ||
    typeof answer.text !== 'string' ||
    typeof answer.is_truncated !== 'boolean'
  ) {
    throw new QueryError('the kernel sent an answer that cannot be read');
  }
  const { type, facts, text } = answer;
  return { type, facts, text: text.slice(0, MAX_VARIABLE_CHARACTERS), isTruncated: answer.is_truncated };
}

/** Read the answer to {@link namesQuery}. */
export function readNamesAnswer(quoted: string): readonly VariableName[] {
  const answer = decode(quoted);
  if (!Array.isArray(answer)) {
    throw new QueryError('the kernel sent an answer that cannot be read');
  }
  return answer.slice(0, MAX_NAMES).flatMap((entry: unknown) =>
    isRecord(entry) && typeof entry.name === 'string' && typeof entry.type === 'string'
      ? [{ name: entry.name, type: entry.type }]
      : []
  );
}

/** What is sent of a variable. */
export function describeVariable(path: string, answer: VariableAnswer): string {
  const facts = answer.facts === '' ? answer.type : `${answer.type}; ${answer.facts}`;
  return `${path} (${facts}):\n${answer.text}`;
}
