/**
 * The conversation: its messages in order, and following the newest one while it is written.
 */

import { caretDownIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { ShownMessage } from '../state';
import { useChat, useChatState } from './context';
import { useFollow } from './follow';
import { MessageView } from './message';
import { describeLeftOut } from './text';

/** So many of the newest messages are rendered at once. */
const AT_ONCE = 8;

/** The message before which earlier ones were left out, and how many. */
function findCut(messages: readonly ShownMessage[]): { id: string; count: number } | null {
  for (let index = messages.length - 1; index >= 0; index -= 1) {
    const record = messages[index]?.record;
    if (record?.role === 'assistant') {
      const { nLeftOut, firstSentId } = record;
      return nLeftOut > 0 && firstSentId !== null ? { id: firstSentId, count: nLeftOut } : null;
    }
  }
  return null;
}

export function MessageList(): React.JSX.Element {
  const { trans } = useChat();
  const { messages, writingId } = useChatState();
  const { scroller, content, isFollowing, jump } = useFollow();
  const newest = messages[messages.length - 1]?.record;
  const newestId = newest?.messageId;
  React.useEffect(() => {
    // Whoever sends a question wants to see the answer.
    if (newestId !== undefined && newestId === writingId) {
      jump();
    }
  }, [newestId, writingId, jump]);
  return (
    <div className="jp-LocalLLMChat-messagesArea">
      <div
        ref={scroller}
        className="jp-LocalLLMChat-messages"
        role="log"
        aria-live="off"
        aria-label={trans.__('Conversation')}
        aria-busy={writingId !== null}
        data-busy={writingId !== null}
        // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- Safari scrolls by keys only what has the focus
        tabIndex={0}
      >
        <div ref={content} className="jp-LocalLLMChat-messagesContent">
          <Messages />
        </div>
      </div>
      {isFollowing ? null : (
        <button type="button" className="jp-LocalLLMChat-jump" onClick={jump}>
          <caretDownIcon.react tag="span" className="jp-LocalLLMChat-icon" aria-hidden="true" />
          {trans.__('Jump to latest')}
        </button>
      )}
    </div>
  );
}

function Messages(): React.JSX.Element {
  const { trans } = useChat();
  const { chat, messages } = useChatState();
  const cut = findCut(messages);
  return (
    <>
      {chat.isLoading ? (
        <p className="jp-LocalLLMChat-hint">{trans.__('Loading chat…')}</p>
      ) : null}
      {messages.map(({ record, siblingIndex, siblingIds }, index) => (
        <React.Fragment key={record.messageId}>
          {cut?.id === record.messageId ? (
            <div className="jp-LocalLLMChat-divider" role="note">
              {describeLeftOut(cut.count, trans)}
            </div>
          ) : null}
          <MessageView
            record={record}
            siblingIndex={siblingIndex}
            siblingIds={siblingIds}
            isAtOnce={index >= messages.length - AT_ONCE}
          />
        </React.Fragment>
      ))}
    </>
  );
}
