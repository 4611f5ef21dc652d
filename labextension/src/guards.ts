/**
 * The smallest guards: one value of unknown type in, one typed value out, or a `ProtocolError`.
 *
 * The server leaves out what has its default value, so most of them take a default. What a whole
 * noun looks like stands beside the noun, as in `protocol.ts`, `chat_guards.ts` and `frames.ts`.
 */

/** A reply that is not what the protocol says; `message` names the field. */
export class ProtocolError extends Error {
  constructor(where: string, expected: string) {
    super(`${where} should be ${expected}`);
    this.name = 'ProtocolError';
  }
}

export type JSONRecord = Readonly<Record<string, unknown>>;

export function isRecord(value: unknown): value is JSONRecord {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isAbsent(value: unknown): value is null | undefined {
  return value === undefined || value === null;
}

export function readRecord(value: unknown, where: string): JSONRecord {
  if (!isRecord(value)) {
    throw new ProtocolError(where, 'an object');
  }
  return value;
}

export function readText(value: unknown, where: string): string {
  if (typeof value !== 'string') {
    throw new ProtocolError(where, 'text');
  }
  return value;
}

/** Text that is left out where it is empty. */
export function readTextOrEmpty(value: unknown, where: string): string {
  return value === undefined ? '' : readText(value, where);
}

export function readOptionalText(value: unknown, where: string): string | null {
  return isAbsent(value) ? null : readText(value, where);
}

export function readNumber(value: unknown, where: string): number {
  if (typeof value !== 'number' || !Number.isFinite(value)) {
    throw new ProtocolError(where, 'a number');
  }
  return value;
}

/** A number that is left out where it is 0. */
export function readNumberOrZero(value: unknown, where: string): number {
  return value === undefined ? 0 : readNumber(value, where);
}

export function readOptionalNumber(value: unknown, where: string): number | null {
  return isAbsent(value) ? null : readNumber(value, where);
}

/** A count: a whole number that is not negative. */
export function readCount(value: unknown, where: string): number {
  const count = readNumber(value, where);
  if (!Number.isSafeInteger(count) || count < 0) {
    throw new ProtocolError(where, 'a whole number from 0');
  }
  return count;
}

export function readFlag(value: unknown, where: string, otherwise: boolean): boolean {
  if (value === undefined) {
    return otherwise;
  }
  if (typeof value !== 'boolean') {
    throw new ProtocolError(where, 'true or false');
  }
  return value;
}

export function readList(value: unknown, where: string): readonly unknown[] {
  if (!Array.isArray(value)) {
    throw new ProtocolError(where, 'a list');
  }
  return value as readonly unknown[];
}

/** Read a list of nouns; left out where it is empty. */
export function readEach<T>(
  value: unknown,
  where: string,
  read: (item: unknown, where: string) => T
): readonly T[] {
  return readList(value ?? [], where).map((item, index) => read(item, `${where}[${index}]`));
}

/** Read a noun that may be left out. */
export function readOptional<T>(
  value: unknown,
  where: string,
  read: (item: unknown, where: string) => T
): T | null {
  return isAbsent(value) ? null : read(value, where);
}

export function readOneOf<T extends string>(
  value: unknown,
  where: string,
  choices: readonly T[]
): T {
  const choice = choices.find(known => known === value);
  if (choice === undefined) {
    throw new ProtocolError(where, `one of ${choices.join(', ')}`);
  }
  return choice;
}
