/**
 * All chats of this person: found by their text, opened, renamed, deleted.
 */

import { deleteIcon, editIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { ChatSummary } from '../../chat_protocol';
import { useChat, useChatState } from './context';
import { IconButton } from './icon_button';
import { Popover } from './popover';
import { describeWhen, formatCount } from './text';
import { TitleInput } from './title_input';

const SEARCH_DELAY_MS = 150;

/** The chats that match; all of them while nothing is looked for. */
function useFound(query: string): readonly ChatSummary[] {
  const { model } = useChat();
  const { chats } = useChatState();
  const [found, setFound] = React.useState<readonly ChatSummary[] | null>(null);
  const wanted = query.trim();
  React.useEffect(() => {
    if (wanted === '') {
      return undefined;
    }
    let isWanted = true;
    const timer = setTimeout(() => {
      void model.searchChats(wanted).then(result => {
        if (isWanted) {
          setFound(result);
        }
      });
    }, SEARCH_DELAY_MS);
    return () => {
      isWanted = false;
      clearTimeout(timer);
    };
    // A chat that was renamed or deleted is looked for again.
  }, [model, wanted, chats]);
  return wanted === '' || found === null ? chats : found;
}

export function ChatList({ onClose }: { readonly onClose: () => void }): React.JSX.Element {
  const { model, trans } = useChat();
  const { chat } = useChatState();
  const [query, setQuery] = React.useState('');
  const [now] = React.useState(() => Date.now());
  const found = useFound(query);
  const search = React.useRef<HTMLInputElement>(null);
  return (
    <Popover label={trans.__('Chats')} className="jp-LocalLLMChat-chatList" onClose={onClose}>
      <input
        ref={search}
        type="search"
        data-autofocus
        className="jp-LocalLLMChat-search"
        placeholder={trans.__('Search in all chats')}
        aria-label={trans.__('Search in all chats')}
        value={query}
        onChange={event => {
          setQuery(event.target.value);
        }}
      />
      {found.length === 0 ? (
        <p className="jp-LocalLLMChat-hint" role="status">
          {query.trim() === '' ? trans.__('No chats yet.') : trans.__('No chat has this text.')}
        </p>
      ) : null}
      <ul>
        {found.map(summary => (
          <ChatItem
            key={summary.chatId}
            summary={summary}
            now={now}
            isCurrent={summary.chatId === chat.chatId}
            onOpen={() => {
              onClose();
              void model.openChat(summary.chatId);
            }}
            onDelete={() => {
              // The button that has the focus goes away with its chat.
              search.current?.focus();
              void model.deleteChat(summary.chatId);
            }}
          />
        ))}
      </ul>
    </Popover>
  );
}

interface ChatItemProps {
  readonly summary: ChatSummary;
  readonly now: number;
  readonly isCurrent: boolean;
  readonly onOpen: () => void;
  readonly onDelete: () => void;
}

function ChatItem(props: ChatItemProps): React.JSX.Element {
  const { summary, isCurrent, onDelete } = props;
  const { model, trans } = useChat();
  const [isRenaming, setIsRenaming] = React.useState(false);
  const { chatId, title } = summary;
  return (
    <li
      className={`jp-LocalLLMChat-chatItem${isCurrent ? ' jp-mod-current' : ''}`}
      data-chat-id={chatId}
    >
      {isRenaming ? (
        <TitleInput
          title={title}
          onDone={name => {
            setIsRenaming(false);
            if (name !== null) {
              void model.renameChat(chatId, name);
            }
          }}
        />
      ) : (
        <OpenButton {...props} />
      )}
      <div className="jp-LocalLLMChat-itemButtons">
        <IconButton
          icon={editIcon}
          action="rename"
          label={trans.__('Rename %1', title)}
          onClick={() => {
            setIsRenaming(true);
          }}
        />
        <IconButton
          icon={deleteIcon}
          action="delete"
          label={trans.__('Delete %1', title)}
          onClick={onDelete}
        />
      </div>
    </li>
  );
}

function OpenButton({ summary, now, isCurrent, onOpen }: ChatItemProps): React.JSX.Element {
  const { trans } = useChat();
  const { title, snippet, nMessages, updatedMs } = summary;
  return (
    <button
      type="button"
      data-stop
      className="jp-LocalLLMChat-chatOpen"
      aria-current={isCurrent}
      onClick={onOpen}
    >
      <span className="jp-LocalLLMChat-chatName">{title}</span>
      <span className="jp-LocalLLMChat-chatFacts">
        {describeWhen(updatedMs, now)} ·{' '}
        {trans._n('%1 message', '%1 messages', nMessages, formatCount(nMessages))}
      </span>
      {snippet === '' ? null : <span className="jp-LocalLLMChat-snippet">{snippet}</span>}
    </button>
  );
}
