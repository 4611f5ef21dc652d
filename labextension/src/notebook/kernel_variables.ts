/**
 * Asks a notebook's kernel about variables, silently: nothing is printed, counted or kept.
 *
 * The only place of the chat that speaks to a kernel, apart from the Run button. A kernel that is
 * busy is not asked at all, so that no question waits behind a long cell. Called by the context
 * sources and by completion.
 */

import type { Kernel } from '@jupyterlab/services';

import type { Translator } from '../service/status_text.js';
import { languageTitle, normaliseLanguage } from './languages.js';
import type { BoundText } from './text_bounds.js';
import {
  describeVariable,
  namesQuery,
  QueryError,
  readNamesAnswer,
  readValueAnswer,
  valueQuery
} from './variable_query.js';
import type { VariableName } from './variable_query.js';

/** How long a short cell may still run before a kernel counts as busy; milliseconds. */
const IDLE_WAIT_MS = 1_500;
const ANSWER_WAIT_MS = 5_000;
const BUSY = new Set(['busy', 'starting', 'restarting', 'autorestarting']);

class TimeoutError extends Error {}

/** The promise, or a {@link TimeoutError}; its timer never outlives it. */
async function within<Value>(promise: Promise<Value>, timeoutMs: number): Promise<Value> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new TimeoutError());
    }, timeoutMs);
  });
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    clearTimeout(timer);
  }
}

async function waitUntilIdle(kernel: Kernel.IKernelConnection, timeoutMs: number): Promise<boolean> {
  if (!BUSY.has(kernel.status)) {
    return true;
  }
  let onStatus: (() => void) | undefined;
  const idle = new Promise<void>(resolve => {
    onStatus = (): void => {
      if (!BUSY.has(kernel.status)) {
        resolve();
      }
    };
    kernel.statusChanged.connect(onStatus);
  });
  try {
    await within(idle, timeoutMs);
    return true;
  } catch (error) {
    if (error instanceof TimeoutError) {
      return false;
    }
    throw error;
  } finally {
    if (onStatus !== undefined) {
      kernel.statusChanged.disconnect(onStatus);
    }
  }
}

type Evaluated =
  | { readonly kind: 'value'; readonly text: string }
  | { readonly kind: 'error'; readonly name: string; readonly message: string };

function readEvaluated(value: unknown): Evaluated {
  const record = value as Readonly<Record<string, unknown>> | null | undefined;
  if (record?.status === 'ok') {
    const data = record.data as Readonly<Record<string, unknown>> | null | undefined;
    const text = data?.['text/plain'];
    if (typeof text === 'string') {
      return { kind: 'value', text };
    }
  }
  if (record?.status === 'error') {
    return { kind: 'error', name: String(record.ename), message: String(record.evalue) };
  }
  throw new QueryError('the kernel sent an answer that cannot be read');
}

async function evaluate(kernel: Kernel.IKernelConnection, expression: string): Promise<Evaluated> {
  const future = kernel.requestExecute({
    code: '',
    silent: true,
    store_history: false,
    user_expressions: { answer: expression },
    allow_stdin: false,
    stop_on_error: false
  });
  try {
    const { content } = await within(future.done, ANSWER_WAIT_MS);
    if (content.status !== 'ok') {
      throw new QueryError('the kernel did not answer');
    }
    return readEvaluated(content.user_expressions.answer);
  } finally {
    future.dispose();
  }
}

function busy(trans: Translator): Error {
  return new Error(
    trans.__('The kernel is busy, so its variables cannot be read. Try again when it is idle.')
  );
}

/** Throws the sentence for a kernel that cannot be asked now. */
async function checkKernel(
  kernel: Kernel.IKernelConnection,
  idleWaitMs: number,
  trans: Translator
): Promise<void> {
  if (kernel.status === 'dead' || kernel.isDisposed) {
    throw new Error(trans.__('The kernel has died. Restart it first.'));
  }
  if (!(await waitUntilIdle(kernel, idleWaitMs))) {
    throw busy(trans);
  }
  const info = await within(kernel.info, ANSWER_WAIT_MS);
  const language = info.language_info.name;
  if (normaliseLanguage(language) !== 'python') {
    throw new Error(
      trans.__('Variables can be read from Python kernels only; this one runs %1.', languageTitle(language))
    );
  }
}

/** A failure of asking as a sentence; sentences pass through. */
function sentence(error: unknown, trans: Translator): Error {
  if (error instanceof TimeoutError) {
    // Its status tells that it is busy a moment after a cell was sent, so it may have been asked.
    return busy(trans);
  }
  if (error instanceof QueryError) {
    return new Error(trans.__('The variable could not be read: %1.', error.message));
  }
  return error instanceof Error
    ? error
    : new Error(trans.__('The variable could not be read: %1.', String(error)));
}

/**
 * Read the bounded repr of a variable.
 *
 * @param path - A name with attributes and literal indices, nothing else.
 * @throws Error with a sentence for the user.
 */
export async function readVariable(
  kernel: Kernel.IKernelConnection,
  path: string,
  trans: Translator
): Promise<BoundText> {
  let evaluated: Evaluated;
  try {
    const query = valueQuery(path);
    await checkKernel(kernel, IDLE_WAIT_MS, trans);
    evaluated = await evaluate(kernel, query);
    if (evaluated.kind === 'value') {
      const answer = readValueAnswer(evaluated.text);
      return { text: describeVariable(path, answer), isTruncated: answer.isTruncated };
    }
  } catch (error) {
    throw sentence(error, trans);
  }
  if (evaluated.name === 'NameError') {
    throw new Error(trans.__('The kernel has no variable "%1". Run the cell that defines it.', path));
  }
  const reason = `${evaluated.name}: ${evaluated.message}`.slice(0, 300);
  throw new Error(trans.__('"%1" could not be read: %2', path, reason));
}

/**
 * List the variables a person made; `null` where the kernel is busy or is not a Python kernel.
 */
export async function listVariables(
  kernel: Kernel.IKernelConnection,
  trans: Translator
): Promise<readonly VariableName[] | null> {
  try {
    await checkKernel(kernel, 0, trans);
    const evaluated = await evaluate(kernel, namesQuery());
    return evaluated.kind === 'value' ? readNamesAnswer(evaluated.text) : null;
  } catch {
    // A completion list is a convenience: without an answer there is none.
    return null;
  }
}
