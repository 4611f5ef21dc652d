/**
 * What will be sent with the next question; each chip opens to the exact text.
 */

import { closeIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { Chip } from '../state';
import { ItemText } from './attachments';
import { useChat, useChatState } from './context';
import { IconButton } from './icon_button';
import { describeTokens } from './text';

export function Chips(): React.JSX.Element | null {
  const { trans } = useChat();
  const { chips, chat } = useChatState();
  const [openId, setOpenId] = React.useState<string | null>(null);
  if (chips.length === 0 && chat.systemPrompt === '') {
    return null;
  }
  const open = chips.find(({ chipId }) => chipId === openId);
  const toggle = (chipId: string) => {
    setOpenId(openId === chipId ? null : chipId);
  };
  return (
    <div className="jp-LocalLLMChat-chips">
      <ul aria-label={trans.__('Sent with the next question')}>
        {chat.systemPrompt === '' ? null : (
          <SystemChip
            isOpen={openId === SYSTEM}
            onToggle={() => {
              toggle(SYSTEM);
            }}
          />
        )}
        {chips.map(chip => (
          <ChipItem
            key={chip.chipId}
            chip={chip}
            isOpen={chip.chipId === openId}
            onToggle={() => {
              toggle(chip.chipId);
            }}
          />
        ))}
      </ul>
      {open === undefined ? null : <ItemText item={open.item} />}
      {openId === SYSTEM && chat.systemPrompt !== '' ? (
        <div className="jp-LocalLLMChat-itemText">
          <pre>{chat.systemPrompt}</pre>
        </div>
      ) : null}
    </div>
  );
}

const SYSTEM = 'system prompt';

interface OpenProps {
  readonly isOpen: boolean;
  readonly onToggle: () => void;
}

function SystemChip({ isOpen, onToggle }: OpenProps): React.JSX.Element {
  const { model, trans } = useChat();
  return (
    <li className="jp-LocalLLMChat-chip" data-kind="system">
      <button type="button" aria-expanded={isOpen} onClick={onToggle}>
        <span className="jp-LocalLLMChat-chipLabel">{trans.__('System prompt')}</span>
      </button>
      <IconButton
        icon={closeIcon}
        action="remove"
        label={trans.__('Remove the system prompt')}
        onClick={() => {
          void model.setSystemPrompt('');
        }}
      />
    </li>
  );
}

interface ChipItemProps extends OpenProps {
  readonly chip: Chip;
}

function ChipItem({ chip, isOpen, onToggle }: ChipItemProps): React.JSX.Element {
  const { model, trans } = useChat();
  const { chipId, item, tokens } = chip;
  const remove = () => {
    model.removeChip(chipId);
    document.querySelector<HTMLElement>('.jp-LocalLLMChat-input')?.focus();
  };
  return (
    <li className="jp-LocalLLMChat-chip" data-kind={item.kind} data-chip-id={chipId}>
      <button
        type="button"
        aria-expanded={isOpen}
        title={item.source}
        onClick={onToggle}
        onKeyDown={event => {
          if (event.key === 'Delete' || event.key === 'Backspace') {
            event.preventDefault();
            remove();
          }
        }}
      >
        <span className="jp-LocalLLMChat-chipLabel">{item.label}</span>
        <span className="jp-LocalLLMChat-chipTokens">
          {describeTokens(tokens, trans)}
          {item.isTruncated ? ` · ${trans.__('shortened')}` : ''}
        </span>
      </button>
      <IconButton
        icon={closeIcon}
        action="remove"
        label={trans.__('Remove %1', item.label)}
        onClick={remove}
      />
    </li>
  );
}
