/**
 * What may follow `@var:`: a name, its attributes, and indices that are numbers or strings.
 *
 * Pure. Anything else – a call, an operator, a comprehension – is refused, so that what reaches
 * the kernel can only look a value up. (Attributes and indices may still run a class's own code;
 * that is the person's own kernel and own object.)
 */

const NAME = '[\\p{ID_Start}_][\\p{ID_Continue}]*';
const INTEGER = '-?[0-9]{1,18}';
// Without line ends: a string of one line cannot be ended by anything but its quote.
const SINGLE = "'(?:[^'\\\\\\r\\n]|\\\\[^\\r\\n])*'";
const DOUBLE = '"(?:[^"\\\\\\r\\n]|\\\\[^\\r\\n])*"';
const INDEX = `\\[[ ]*(?:${INTEGER}|${SINGLE}|${DOUBLE})[ ]*\\]`;
const PATH = new RegExp(`${NAME}(?:\\.${NAME}|${INDEX})*`, 'uy');

/** The longest path of names and literal indices that starts at `position`; '' if none does. */
export function readVariablePath(text: string, position: number): string {
  PATH.lastIndex = position;
  return PATH.exec(text)?.[0] ?? '';
}

/** Whether the whole text is such a path. */
export function isVariablePath(text: string): boolean {
  return text !== '' && text.length <= 400 && readVariablePath(text, 0).length === text.length;
}
