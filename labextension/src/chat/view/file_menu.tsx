/**
 * Saving the chat as a file of the reader's computer, and taking one in.
 */

import * as React from 'react';

import { useChat, useChatState } from './context';
import { hintOf, messageOf } from './failure';
import { Popover } from './popover';
import { fileNameOf } from './text';

type Format = 'md' | 'ipynb' | 'chat';

const TYPES: Record<Format, string> = {
  md: 'text/markdown',
  ipynb: 'application/x-ipynb+json',
  chat: 'application/json'
};

function download(text: string, name: string, type: string): void {
  const address = URL.createObjectURL(new Blob([text], { type }));
  const anchor = document.createElement('a');
  anchor.href = address;
  anchor.download = name;
  anchor.click();
  URL.revokeObjectURL(address);
}

export function FileMenu({ onClose }: { readonly onClose: () => void }): React.JSX.Element {
  const { trans } = useChat();
  return (
    <Popover label={trans.__('Export or import')} className="jp-mod-end" role="menu" onClose={onClose}>
      <ExportItems onClose={onClose} />
      <ImportItem onClose={onClose} />
    </Popover>
  );
}

function ExportItems({ onClose }: { readonly onClose: () => void }): React.JSX.Element {
  const { model, trans } = useChat();
  const { chat } = useChatState();
  const save = async (format: Format): Promise<void> => {
    onClose();
    try {
      const text = await model.exportChat(chat.chatId, format);
      download(text, fileNameOf(chat.title, format), TYPES[format]);
    } catch (error) {
      model.notify({
        severity: 'error',
        message: messageOf(error, trans.__('The chat could not be exported.')),
        hint: hintOf(error)
      });
    }
  };
  const entries: readonly [Format, string][] = [
    ['md', trans.__('Export as Markdown')],
    ['ipynb', trans.__('Export as notebook')],
    ['chat', trans.__('Export as chat file')]
  ];
  return (
    <>
      {entries.map(([format, label]) => (
        <button
          key={format}
          type="button"
          role="menuitem"
          data-stop
          data-format={format}
          className="jp-LocalLLMChat-menuItem"
          disabled={!chat.isKept}
          onClick={() => {
            void save(format);
          }}
        >
          {label}
        </button>
      ))}
    </>
  );
}

function ImportItem({ onClose }: { readonly onClose: () => void }): React.JSX.Element {
  const { model, trans } = useChat();
  const file = React.useRef<HTMLInputElement>(null);
  const take = async (chosen: File): Promise<void> => {
    onClose();
    try {
      await model.importChat(await chosen.text());
    } catch (error) {
      model.notify({
        severity: 'error',
        message: messageOf(error, trans.__('The file could not be read.')),
        hint: hintOf(error)
      });
    }
  };
  return (
    <>
      <button
        type="button"
        role="menuitem"
        data-stop
        className="jp-LocalLLMChat-menuItem jp-LocalLLMChat-import"
        onClick={() => {
          file.current?.click();
        }}
      >
        {trans.__('Import a chat file…')}
      </button>
      <input
        ref={file}
        type="file"
        accept=".chat,.json,application/json"
        hidden
        aria-label={trans.__('Chat file')}
        onChange={event => {
          const chosen = event.target.files?.[0];
          if (chosen !== undefined) {
            void take(chosen);
          }
        }}
      />
    </>
  );
}
