/**
 * Sentences over the conversation: how the connection is, and what the person should know.
 */

import { closeIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { Notice } from '../state';
import { useChat, useChatState } from './context';
import { IconButton } from './icon_button';
import { describeConnection } from './text';

/** Shown while the server cannot be reached. */
export function Banner(): React.JSX.Element | null {
  const { trans } = useChat();
  const { connection } = useChatState();
  const said = describeConnection(connection, trans);
  if (said === null) {
    return null;
  }
  return (
    <div
      className="jp-LocalLLMChat-banner"
      data-kind={connection.kind}
      role={connection.kind === 'refused' ? 'alert' : 'status'}
    >
      <span>{said.message}</span>
      {said.hint === '' ? null : <span className="jp-LocalLLMChat-hint">{said.hint}</span>}
    </div>
  );
}

export function Notices(): React.JSX.Element | null {
  const { notices } = useChatState();
  if (notices.length === 0) {
    return null;
  }
  return (
    <div className="jp-LocalLLMChat-notices">
      {notices.map(notice => (
        <NoticeLine key={notice.noticeId} notice={notice} />
      ))}
    </div>
  );
}

const NoticeLine = React.memo(function NoticeLine({
  notice
}: {
  readonly notice: Notice;
}): React.JSX.Element {
  const { model, trans } = useChat();
  const { severity, message, hint, action } = notice;
  return (
    <div
      className="jp-LocalLLMChat-notice"
      data-severity={severity}
      role={severity === 'info' ? 'status' : 'alert'}
    >
      <div className="jp-LocalLLMChat-noticeText">
        <span>{message}</span>
        {hint === '' ? null : <span className="jp-LocalLLMChat-hint">{hint}</span>}
      </div>
      {action === undefined ? null : (
        <button
          type="button"
          className="jp-LocalLLMChat-textButton"
          onClick={() => {
            action.run();
          }}
        >
          {action.label}
        </button>
      )}
      <IconButton
        icon={closeIcon}
        label={trans.__('Dismiss')}
        onClick={() => {
          model.dismiss(notice.noticeId);
        }}
      />
    </div>
  );
});
