/**
 * Reads the sentence and the next step for the user out of whatever was thrown. Pure.
 */

export function messageOf(error: unknown, otherwise: string): string {
  return error instanceof Error && error.message !== '' ? error.message : otherwise;
}

/** The next step that an error names, or ''. */
export function hintOf(error: unknown): string {
  return error instanceof Error && 'hint' in error && typeof error.hint === 'string'
    ? error.hint
    : '';
}
