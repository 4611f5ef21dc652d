/**
 * How bytes reach the Jupyter server: Lab's settings, tokens and base URL. Nothing else.
 *
 * The only file here that imports `@jupyterlab/services`. Called where plugins are wired.
 */

import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';

import type { SendRequest } from './api';

/** Requests with Lab's own cookies, token and XSRF header. */
export function sendTo(settings: ServerConnection.ISettings): SendRequest {
  return (path, init) =>
    ServerConnection.makeRequest(URLExt.join(settings.baseUrl, path), init, settings);
}

/** Open the websocket `localllm/chat`. */
export function openChatSocket(settings: ServerConnection.ISettings): WebSocket {
  const url = URLExt.join(settings.wsUrl, 'localllm', 'chat');
  const token = settings.appendToken && settings.token !== '' ? settings.token : null;
  return new settings.WebSocket(
    token === null ? url : `${url}?token=${encodeURIComponent(token)}`
  );
}
