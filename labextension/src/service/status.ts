/**
 * Asks the Jupyter server for `localllm/status`.
 *
 * The only place that knows this route. Knows nothing of the page; called by plugins.
 */

import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';
import type { TranslationBundle } from '@jupyterlab/translation';

import {
  PROTOCOL_VERSION,
  ProtocolError,
  readErrorReply,
  readProtocolVersion,
  readStatusReply
} from '../protocol';
import type { StatusReply } from '../protocol';

const TIMEOUT_MS = 15_000;

/** A failure as it is shown: one plain sentence and the next step. */
export class StatusError extends Error {
  constructor(
    message: string,
    readonly hint: string
  ) {
    super(message);
    this.name = 'StatusError';
  }
}

async function readJSON(response: Response): Promise<unknown> {
  try {
    return (await response.json()) as unknown;
  } catch (error) {
    if (error instanceof SyntaxError) {
      return null;
    }
    throw error;
  }
}

async function request(
  settings: ServerConnection.ISettings,
  trans: TranslationBundle
): Promise<Response> {
  const url = URLExt.join(settings.baseUrl, 'localllm', 'status');
  const init = { method: 'GET', signal: AbortSignal.timeout(TIMEOUT_MS) };
  try {
    return await ServerConnection.makeRequest(url, init, settings);
  } catch {
    throw new StatusError(
      trans.__('The Jupyter server did not answer.'),
      trans.__('Check that it is still running, then try again.')
    );
  }
}

function refusal(status: number, body: unknown, trans: TranslationBundle): StatusError {
  const error = readErrorReply(body);
  if (error !== null) {
    return new StatusError(error.message, error.hint);
  }
  if (status === 404) {
    return new StatusError(
      trans.__('The Jupyter server does not have the jupyter_localllm extension loaded.'),
      trans.__('Run "jupyter server extension list" to see why, then restart the server.')
    );
  }
  if (status === 401 || status === 403) {
    return new StatusError(
      trans.__('The Jupyter server refused this request (status %1).', status),
      trans.__('Log in again, or ask its administrator for access to "localllm".')
    );
  }
  return new StatusError(
    trans.__('The Jupyter server answered with status %1.', status),
    trans.__('Its log says why.')
  );
}

/**
 * Fetch which models there are and how they do.
 *
 * @param settings - How to reach the Jupyter server.
 * @param trans - For the sentences of an error.
 * @throws {@link StatusError}, ready to be shown.
 */
export async function fetchStatus(
  settings: ServerConnection.ISettings,
  trans: TranslationBundle
): Promise<StatusReply> {
  const response = await request(settings, trans);
  const body = await readJSON(response);
  if (!response.ok) {
    throw refusal(response.status, body, trans);
  }
  try {
    const version = readProtocolVersion(body);
    if (version !== PROTOCOL_VERSION) {
      throw new StatusError(
        trans.__(
          'The server speaks version %1 of the protocol and this page version %2.',
          version,
          PROTOCOL_VERSION
        ),
        trans.__('Restart the Jupyter server and reload this page, so that both are of one release.')
      );
    }
    return readStatusReply(body);
  } catch (error) {
    if (error instanceof ProtocolError) {
      throw new StatusError(
        trans.__('The server sent a status that this page cannot read (%1).', error.message),
        trans.__('Restart the Jupyter server and reload this page.')
      );
    }
    throw error;
  }
}
