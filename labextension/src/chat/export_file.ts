/**
 * Saving a chat as a new file, never over another one.
 *
 * Knows the contents manager only by the four methods it needs, so that it runs under Node. The
 * file is first made under a name that the server chose, then filled, then named after the chat;
 * a name that is taken is counted up.
 */

/** The formats of an export. */
export const EXPORT_FORMATS = ['md', 'ipynb', 'chat'] as const;
export type ExportFormat = (typeof EXPORT_FORMATS)[number];

/** The part of Lab's contents manager that is used. */
export interface FileStore {
  newUntitled(options: { path: string; type: 'file'; ext: string }): Promise<{ path: string }>;
  save(
    path: string,
    model: { type: 'file'; format: 'text'; content: string }
  ): Promise<unknown>;
  rename(path: string, newPath: string): Promise<{ path: string }>;
  delete(path: string): Promise<void>;
}

const MAX_STEM = 80;
const MAX_TRIES = 50;

/** A file's name, without its ending, that every file system takes. */
export function fileStem(title: string, fallback: string): string {
  const stem = title
    .normalize('NFC')
    .replace(/[\p{C}\p{Z}]+/gu, ' ')
    .replace(/[/\\:*?"<>|]+/g, '-')
    .trim()
    .replace(/^[.\s-]+/, '');
  const short = Array.from(stem).slice(0, MAX_STEM).join('').replace(/[.\s-]+$/, '');
  return short === '' ? fallback : short;
}

function isTaken(error: unknown): boolean {
  const response = (error as { response?: { status?: unknown } } | null)?.response;
  return response?.status === 409;
}

/**
 * Save a text as a new file.
 *
 * @returns The path of the file.
 */
export async function saveNewFile(
  store: FileStore,
  folder: string,
  stem: string,
  format: ExportFormat,
  text: string
): Promise<string> {
  const { path } = await store.newUntitled({ path: folder, type: 'file', ext: `.${format}` });
  try {
    await store.save(path, { type: 'file', format: 'text', content: text });
  } catch (error) {
    // The empty file that was just made here; the failure is what matters.
    await store.delete(path).catch(() => undefined);
    throw error;
  }
  const place = path.slice(0, Math.max(path.lastIndexOf('/'), path.lastIndexOf(':')) + 1);
  for (let count = 0; count < MAX_TRIES; count++) {
    const name = count === 0 ? `${stem}.${format}` : `${stem}-${count}.${format}`;
    try {
      return (await store.rename(path, place + name)).path;
    } catch (error) {
      if (!isTaken(error)) {
        break;
      }
    }
  }
  // The text is saved; its name is only less telling.
  return path;
}
