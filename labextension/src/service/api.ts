/**
 * The one way to ask the Jupyter server: a route and a body in, checked JSON or an error out.
 *
 * Knows how requests fail and how that is said, not what routes mean: that is `chats.ts` and
 * `status.ts`. How bytes travel is handed in, see `jupyter_server.ts`, so that this runs in Node.
 */

import { ProtocolError, readErrorReply } from '../protocol.js';
import type { WireError } from '../protocol';
import type { Translator } from './status_text';

/** Sends a request to `path` below the base URL, of the form `localllm/chats?query=…`. */
export type SendRequest = (path: string, init: RequestInit) => Promise<Response>;

/** A failure as it is shown: one plain sentence and the next step. */
export class ApiError extends Error {
  readonly wire: WireError;

  /**
   * @param wire - What is shown, with the code that tells failures apart.
   * @param status - Status of the reply; 0 where there was none.
   */
  constructor(
    wire: WireError,
    readonly status: number
  ) {
    super(wire.message);
    this.name = 'ApiError';
    this.wire = wire;
  }

  get hint(): string {
    return this.wire.hint;
  }

  /** Nobody answered: the same request may succeed later. */
  get isAway(): boolean {
    return this.status === 0 || this.status === 502 || this.status === 504;
  }
}

export interface RequestOptions {
  readonly query?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Sent as it stands. */
  readonly text?: string;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

const TIMEOUT_MS = 15_000;

/** Codes of failures that no server of ours reported. */
export const ApiCodes = {
  away: 'server_away',
  timeout: 'server_timeout',
  noExtension: 'extension_missing',
  forbidden: 'forbidden',
  unreadable: 'reply_unreadable',
  status: 'request_failed'
} as const;

/** Asks one Jupyter server. */
export class Api {
  constructor(
    private readonly _send: SendRequest,
    private readonly _trans: Translator
  ) {}

  /**
   * Ask for JSON.
   *
   * @param read - The guard that the reply must pass.
   * @throws {@link ApiError}, ready to be shown.
   */
  async json<T>(
    method: 'GET' | 'POST',
    route: readonly string[],
    read: (value: unknown) => T,
    options: RequestOptions = {}
  ): Promise<T> {
    const text = await this.text(method, route, options);
    try {
      return read(JSON.parse(text));
    } catch (error) {
      if (error instanceof ProtocolError || error instanceof SyntaxError) {
        throw this._unreadable(error);
      }
      throw error;
    }
  }

  /** Ask for text, such as an exported chat. */
  async text(
    method: 'GET' | 'POST',
    route: readonly string[],
    options: RequestOptions = {}
  ): Promise<string> {
    const limit = AbortSignal.timeout(options.timeoutMs ?? TIMEOUT_MS);
    const signal = options.signal ? AbortSignal.any([limit, options.signal]) : limit;
    const init: RequestInit = { method, signal };
    const body = options.text ?? (options.body === undefined ? '' : JSON.stringify(options.body));
    if (method === 'POST') {
      init.body = body;
      init.headers = { 'Content-Type': 'application/json' };
    }
    const query = options.query === undefined ? '' : `?${new URLSearchParams(options.query)}`;
    const path = ['localllm', ...route].map(encodeURIComponent).join('/') + query;
    let response: Response;
    let text: string;
    try {
      response = await this._send(path, init);
      text = await response.text();
    } catch (error) {
      throw this._away(error, limit.aborted);
    }
    if (!response.ok) {
      throw this._refusal(response.status, text);
    }
    return text;
  }

  private _away(error: unknown, isTimeout: boolean): ApiError {
    const trans = this._trans;
    if (error instanceof ApiError) {
      return error;
    }
    if (isTimeout) {
      const message = trans.__('The Jupyter server did not answer in time.');
      const hint = trans.__('It may be busy; try again in a moment.');
      return new ApiError({ code: ApiCodes.timeout, message, hint }, 0);
    }
    const message = trans.__('The Jupyter server did not answer.');
    const hint = trans.__('Check that it is still running, then try again.');
    return new ApiError({ code: ApiCodes.away, message, hint }, 0);
  }

  private _unreadable(error: Error): ApiError {
    const trans = this._trans;
    const message = trans.__(
      'The server sent a reply that this page cannot read (%1).',
      error instanceof ProtocolError ? error.message : trans.__('it is not JSON')
    );
    const hint = trans.__('Restart the Jupyter server and reload this page.');
    return new ApiError({ code: ApiCodes.unreadable, message, hint }, 200);
  }

  private _refusal(status: number, text: string): ApiError {
    const trans = this._trans;
    const error = readErrorReply(parse(text));
    if (error !== null) {
      return new ApiError(error, status);
    }
    if (status === 404) {
      const message = trans.__(
        'The Jupyter server does not have the jupyter_localllm extension loaded.'
      );
      const hint = trans.__(
        'Run "jupyter server extension list" to see why, then restart the server.'
      );
      return new ApiError({ code: ApiCodes.noExtension, message, hint }, status);
    }
    if (status === 401 || status === 403) {
      const message = trans.__('The Jupyter server refused this request (status %1).', status);
      const hint = trans.__('Log in again, or ask its administrator for access to "localllm".');
      return new ApiError({ code: ApiCodes.forbidden, message, hint }, status);
    }
    const message = trans.__('The Jupyter server answered with status %1.', status);
    return new ApiError({ code: ApiCodes.status, message, hint: trans.__('Its log says why.') }, status);
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    // A page of HTML: a proxy's, or a login form.
    return null;
  }
}
