/**
 * What could stand at the cursor of the input: commands, mentions, files, variables, models.
 *
 * Runs under Node: names come through {@link NameSource}, which `notebook/` implements. An entry
 * that ends with `:` or `/` is not whole; completion goes on behind it.
 */

import type { Translator } from '../service/status_text.js';
import { findCode, isInside } from './code_spans.js';
import { COMMAND_NAMES } from './command_parser.js';
import { commandText } from './command_texts.js';
import { EXPORT_FORMATS } from './export_file.js';
import { canBegin, formatMention, quoteFileName } from './mentions.js';
import type { Completion, CompletionList, ContextSource } from './workbench.js';

/** One entry of a folder. */
export interface FileEntry {
  readonly name: string;
  readonly isFolder: boolean;
}

/** Where names come from. */
export interface NameSource {
  contextSources(): readonly ContextSource[];
  variables(): Promise<readonly { readonly name: string; readonly type: string }[]>;
  /** The visible entries of a folder; empty where it cannot be listed. */
  files(folder: string): Promise<readonly FileEntry[]>;
  models(): readonly string[];
}

const MAX_ITEMS = 50;

function startsWith(name: string, prefix: string): boolean {
  return name.toLowerCase().startsWith(prefix.toLowerCase());
}

function list(start: number, end: number, items: readonly Completion[]): CompletionList | null {
  return items.length === 0 ? null : { start, end, items: items.slice(0, MAX_ITEMS) };
}

/** `/co|` and, behind some commands, their words. */
function completeCommand(
  text: string,
  cursor: number,
  names: NameSource,
  trans: Translator
): CompletionList | null | undefined {
  const word = /^\/([\p{L}\p{N}_-]*)$/u.exec(text.slice(0, cursor));
  if (word !== null) {
    const end = cursor + (/^[\p{L}\p{N}_-]*/u.exec(text.slice(cursor))?.[0].length ?? 0);
    const items = COMMAND_NAMES.filter(name => startsWith(name, word[1] ?? '')).map(name => {
      const { usage, caption, takesWords } = commandText(name, trans);
      const insert = takesWords && end === text.length ? `/${name} ` : `/${name}`;
      return { kind: 'command' as const, label: usage, caption, insert, whyNot: null };
    });
    return list(0, end, items);
  }
  const words = /^\/(model|export|system)\s+(\S*)$/i.exec(text.slice(0, cursor));
  if (words === null || cursor !== text.length) {
    return undefined;
  }
  const kind = words[1]?.toLowerCase() === 'model' ? ('model' as const) : ('command' as const);
  const choices = {
    model: () => names.models(),
    export: () => EXPORT_FORMATS,
    system: () => ['off']
  };
  const command = words[1]?.toLowerCase() as keyof typeof choices;
  const prefix = words[2] ?? '';
  const items = choices[command]()
    .filter(name => name.toLowerCase().includes(prefix.toLowerCase()))
    .map(name => ({ kind, label: name, caption: '', insert: name, whyNot: null }));
  return list(cursor - prefix.length, cursor, items);
}

/** The place of the `@` whose mention the cursor is in; `null` if it is in none. */
function mentionStart(text: string, cursor: number): number | null {
  const before = text.slice(0, cursor);
  const match = /@(?:(?:file:(?:"[^"\n]*|'[^'\n]*|(?:\\.|[^\s\\`"'])*))|[\p{L}]*|var:[^\s`]*)$/u.exec(before);
  if (match === null || !canBegin(text, match.index)) {
    return null;
  }
  return isInside(findCode(text), match.index) ? null : match.index;
}

/** A path as it was typed so far, without its quote and its escapes. */
function typedPath(written: string): string {
  return written.replace(/^["']/, '').replace(/\\(.)/g, '$1');
}

/** How a path that goes on is inserted: an open quote where it has to be quoted. */
function openPath(path: string, isFolder: boolean): string {
  const quoted = quoteFileName(path);
  return isFolder && quoted.endsWith('"') ? quoted.slice(0, -1) : quoted;
}

async function completeFile(written: string, names: NameSource, trans: Translator): Promise<Completion[]> {
  const path = typedPath(written);
  const cut = path.lastIndexOf('/') + 1;
  const folder = path.slice(0, cut);
  const prefix = path.slice(cut);
  const entries = (await names.files(folder))
    .filter(entry => !entry.name.startsWith('.') && startsWith(entry.name, prefix))
    .sort((a, b) => Number(b.isFolder) - Number(a.isFolder) || a.name.localeCompare(b.name));
  return entries.map(({ name, isFolder }) => {
    const whole = folder + name + (isFolder ? '/' : '');
    return {
      kind: 'file' as const,
      label: isFolder ? `${name}/` : name,
      caption: isFolder ? trans.__('Folder') : folder,
      insert: `@file:${openPath(whole, isFolder)}`,
      whyNot: null
    };
  });
}

async function completeVariable(prefix: string, names: NameSource): Promise<Completion[]> {
  return (await names.variables())
    .filter(({ name }) => startsWith(name, prefix))
    .map(({ name, type }) => ({
      kind: 'variable' as const,
      label: name,
      caption: type,
      insert: formatMention('var', name),
      whyNot: null
    }));
}

async function completeMention(
  text: string,
  start: number,
  cursor: number,
  names: NameSource,
  trans: Translator
): Promise<CompletionList | null> {
  const written = text.slice(start, cursor);
  if (written.startsWith('@file:')) {
    const rest = written.slice('@file:'.length);
    const quote = /^["']/.exec(rest)?.[0];
    // The quote that Lab-like inputs close by themselves goes with it.
    const end = quote !== undefined && text.charAt(cursor) === quote ? cursor + 1 : cursor;
    return list(start, end, await completeFile(rest, names, trans));
  }
  if (written.startsWith('@var:')) {
    const end = cursor + (/^[\p{L}\p{N}_]*/u.exec(text.slice(cursor))?.[0].length ?? 0);
    return list(start, end, await completeVariable(written.slice('@var:'.length), names));
  }
  const end = cursor + (/^[\p{L}]*:?/u.exec(text.slice(cursor))?.[0].length ?? 0);
  const items = names
    .contextSources()
    .filter(source => startsWith(source.mention, written))
    .map(({ mention, caption, whyNot }) => ({
      kind: 'context' as const,
      label: mention,
      caption,
      insert: mention,
      whyNot
    }));
  return list(start, end, items);
}

/** What could stand at the cursor; `null` where nothing is completed. */
export async function completeInput(
  text: string,
  cursor: number,
  names: NameSource,
  trans: Translator
): Promise<CompletionList | null> {
  const command = completeCommand(text, cursor, names, trans);
  if (command !== undefined) {
    return command;
  }
  const start = mentionStart(text, cursor);
  return start === null ? null : completeMention(text, start, cursor, names, trans);
}
