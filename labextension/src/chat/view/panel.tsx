/**
 * The chat from top to bottom, and the one region that screen readers listen to.
 */

import * as React from 'react';

import { Composer } from './composer';
import { useChatState, useSubscription } from './context';
import { EmptyState } from './empty_state';
import { Header } from './header';
import { MessageList } from './message_list';
import { Banner, Notices } from './notices';
import type { SpokenStatus } from './spoken_status';

export function Panel({ status }: { readonly status: SpokenStatus }): React.JSX.Element {
  const { chat, messages } = useChatState();
  return (
    <>
      <Header />
      <Banner />
      <Notices />
      {messages.length === 0 && !chat.isLoading ? (
        <EmptyState />
      ) : (
        <MessageList key={chat.chatId} />
      )}
      <Composer />
      <Status status={status} />
    </>
  );
}

/** Says each sentence once, also one that is equal to the last. */
function Status({ status }: { readonly status: SpokenStatus }): React.JSX.Element {
  const current = React.useSyncExternalStore(
    useSubscription(status.changed),
    () => status.current
  );
  return (
    <div className="jp-LocalLLMChat-status" role="status" aria-live="polite">
      <span key={current.count}>{current.text}</span>
    </div>
  );
}
