/**
 * Asks the Jupyter server for `localllm/status`, and says so where it speaks another version.
 *
 * The only place that knows this route. Knows nothing of the page; called by the status plugin,
 * `model_status.ts` and, as a probe, by `connection.ts`.
 */

import { PROTOCOL_VERSION, readProtocolVersion, readStatusReply } from '../protocol.js';
import type { StatusReply, WireError } from '../protocol';
import { ApiError } from './api.js';
import type { Api } from './api';
import type { Translator } from './status_text';

/** Code of {@link versionError}. */
export const VERSION_CODE = 'protocol_version';

/** What to say to a server of another version; which side is the older one tells what to do. */
export function versionError(version: number, trans: Translator): WireError {
  const message = trans.__(
    'The server speaks version %1 of the protocol and this page version %2.',
    version,
    PROTOCOL_VERSION
  );
  const hint =
    version < PROTOCOL_VERSION
      ? trans.__('The server is the older one: restart the Jupyter server, then reload this page.')
      : trans.__('This page is the older one: reload it; if that does not help, update the package.');
  return { code: VERSION_CODE, message, hint };
}

/**
 * Fetch which models there are and how they do.
 *
 * @throws {@link ApiError}, ready to be shown.
 */
export async function fetchStatus(
  api: Api,
  trans: Translator,
  signal?: AbortSignal
): Promise<StatusReply> {
  return api.json(
    'GET',
    ['status'],
    body => {
      const version = readProtocolVersion(body);
      if (version !== PROTOCOL_VERSION) {
        throw new ApiError(versionError(version, trans), 200);
      }
      return readStatusReply(body);
    },
    signal === undefined ? {} : { signal }
  );
}
