/**
 * The first lines of the chat: its title, the list of chats, export, the model and the context.
 */

import { addIcon, downloadIcon, editIcon, listIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { useChat, useChatState } from './context';
import { ChatList } from './chat_list';
import { FileMenu } from './file_menu';
import { IconButton } from './icon_button';
import { ContextMeter } from './meter';
import { ModelPicker } from './model_picker';
import { TitleInput } from './title_input';

type OpenPart = 'chats' | 'files' | null;

export function Header(): React.JSX.Element {
  const [open, setOpen] = React.useState<OpenPart>(null);
  const close = React.useCallback(() => {
    setOpen(null);
  }, []);
  return (
    <div className="jp-LocalLLMChat-header">
      <TitleRow
        open={open}
        onToggle={part => {
          setOpen(open === part ? null : part);
        }}
      />
      <div className="jp-LocalLLMChat-headerRow">
        <ModelPicker />
        <ContextMeter />
      </div>
      {open === 'chats' ? <ChatList onClose={close} /> : null}
      {open === 'files' ? <FileMenu onClose={close} /> : null}
    </div>
  );
}

interface TitleRowProps {
  readonly open: OpenPart;
  readonly onToggle: (part: OpenPart) => void;
}

function TitleRow({ open, onToggle }: TitleRowProps): React.JSX.Element {
  const { model, trans } = useChat();
  return (
    <div className="jp-LocalLLMChat-headerRow">
      <IconButton
        icon={listIcon}
        label={trans.__('Chats')}
        className="jp-LocalLLMChat-openList"
        popup="dialog"
        isExpanded={open === 'chats'}
        onClick={() => {
          onToggle('chats');
        }}
      />
      <Title />
      <IconButton
        icon={downloadIcon}
        label={trans.__('Export or import')}
        className="jp-LocalLLMChat-files"
        popup="menu"
        isExpanded={open === 'files'}
        onClick={() => {
          onToggle('files');
        }}
      />
      <IconButton
        icon={addIcon}
        label={trans.__('New chat')}
        className="jp-LocalLLMChat-new"
        onClick={() => {
          model.newChat();
        }}
      />
    </div>
  );
}

/** The chat's name, renamed in its place. */
function Title(): React.JSX.Element {
  const { model, trans } = useChat();
  const { chat } = useChatState();
  const [isRenaming, setIsRenaming] = React.useState(false);
  if (isRenaming) {
    return (
      <TitleInput
        title={chat.title}
        onDone={name => {
          setIsRenaming(false);
          if (name !== null) {
            void model.renameChat(chat.chatId, name);
          }
        }}
      />
    );
  }
  const shown = chat.title === '' ? trans.__('New chat') : chat.title;
  return (
    <div className="jp-LocalLLMChat-titleRow">
      <h2 className="jp-LocalLLMChat-title" title={shown}>
        {shown}
      </h2>
      {chat.isKept ? (
        <IconButton
          icon={editIcon}
          label={trans.__('Rename this chat')}
          className="jp-LocalLLMChat-rename"
          onClick={() => {
            setIsRenaming(true);
          }}
        />
      ) : null}
    </div>
  );
}
