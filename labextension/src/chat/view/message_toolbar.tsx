/**
 * The buttons under a message: copying, editing, another answer, and going through branches.
 */

import {
  caretLeftIcon,
  caretRightIcon,
  copyIcon,
  editIcon,
  refreshIcon
} from '@jupyterlab/ui-components';
import * as React from 'react';

import type { MessageRecord } from '../../chat_protocol';
import { useChat } from './context';
import { messageOf } from './failure';
import { IconButton } from './icon_button';
import { markdownIcon } from './icons';
import { formatCount } from './text';

export interface MessageToolbarProps {
  readonly record: MessageRecord;
  readonly node: React.RefObject<HTMLElement>;
  readonly siblingIndex: number;
  readonly siblingIds: readonly string[];
  readonly onEdit: () => void;
}

export function MessageToolbar(props: MessageToolbarProps): React.JSX.Element {
  const { trans } = useChat();
  return (
    <div className="jp-LocalLLMChat-toolbar" role="toolbar" aria-label={trans.__('Message')}>
      <Branches {...props} />
      <CopyButtons {...props} />
      <AgainButton {...props} />
    </div>
  );
}

function CopyButtons({ record, node }: MessageToolbarProps): React.JSX.Element {
  const { trans, announce } = useChat();
  const copy = async (text: string): Promise<void> => {
    try {
      await navigator.clipboard.writeText(text);
      announce(trans.__('Copied.'));
    } catch (error) {
      announce(messageOf(error, trans.__('The clipboard cannot be used here.')));
    }
  };
  return (
    <>
      <IconButton
        icon={copyIcon}
        action="copy"
        label={trans.__('Copy text')}
        onClick={() => {
          const shown = node.current?.querySelector<HTMLElement>('.jp-LocalLLMChat-content');
          void copy(shown?.innerText ?? record.content);
        }}
      />
      <IconButton
        icon={markdownIcon}
        action="copy-markdown"
        label={trans.__('Copy as Markdown')}
        onClick={() => {
          void copy(record.content);
        }}
      />
    </>
  );
}

/** Changing a question, or another answer. */
function AgainButton({ record, onEdit }: MessageToolbarProps): React.JSX.Element {
  const { model, trans, announce } = useChat();
  /** Sent now it would be refused; the reason is said before anything is typed. */
  const unlessBusy = (act: () => void) => () => {
    if (model.state.writingId === null) {
      act();
    } else {
      announce(trans.__('Wait until the answer is finished, or stop it.'));
    }
  };
  return record.role === 'user' ? (
    <IconButton
      icon={editIcon}
      action="edit"
      label={trans.__('Edit and send as a branch')}
      onClick={unlessBusy(onEdit)}
    />
  ) : (
    <IconButton
      icon={refreshIcon}
      action="regenerate"
      label={trans.__('Answer again')}
      onClick={unlessBusy(() => {
        void model.regenerate(record.messageId);
      })}
    />
  );
}

function Branches({ siblingIndex, siblingIds }: MessageToolbarProps): React.JSX.Element | null {
  const { model, trans, announce } = useChat();
  const count = siblingIds.length;
  if (count < 2) {
    return null;
  }
  const go = (index: number) => {
    const id = siblingIds[index];
    if (id !== undefined) {
      model.showBranch(id);
      announce(trans.__('Branch %1 of %2', formatCount(index + 1), formatCount(count)));
    }
  };
  return (
    <div className="jp-LocalLLMChat-branch" role="group" aria-label={trans.__('Branches')}>
      <IconButton
        icon={caretLeftIcon}
        action="previous"
        label={trans.__('Previous branch')}
        reason={siblingIndex === 0 ? trans.__('this is the first one') : null}
        onClick={() => {
          go(siblingIndex - 1);
        }}
      />
      <span>
        {formatCount(siblingIndex + 1)}/{formatCount(count)}
      </span>
      <IconButton
        icon={caretRightIcon}
        action="next"
        label={trans.__('Next branch')}
        reason={siblingIndex === count - 1 ? trans.__('this is the last one') : null}
        onClick={() => {
          go(siblingIndex + 1);
        }}
      />
    </div>
  );
}
