/**
 * Where questions are written: text, chips, commands, and the one button that sends or stops.
 */

import { stopIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { AttachMenu } from './attach_menu';
import { Chips } from './chips';
import { CompletionListView, optionId } from './completer';
import { useChat, useChatState, useSubscription } from './context';
import { IconButton } from './icon_button';
import { attachIcon, sendIcon } from './icons';
import { useInput } from './input';
import type { Input } from './input';

export function Composer(): React.JSX.Element {
  const node = React.useRef<HTMLTextAreaElement>(null);
  const input = useInput(node);
  const [isAttaching, setIsAttaching] = React.useState(false);
  const closeMenu = React.useCallback(() => {
    setIsAttaching(false);
  }, []);
  return (
    <div className="jp-LocalLLMChat-composer">
      <CompletionListView id={input.listId} completer={input.completer} onChoose={input.choose} />
      {isAttaching ? (
        <AttachMenu
          onClose={closeMenu}
          onChoose={source => {
            closeMenu();
            input.attach(source);
          }}
        />
      ) : null}
      <Chips />
      <div className="jp-LocalLLMChat-inputBox">
        <InputText node={node} input={input} />
        <div className="jp-LocalLLMChat-inputButtons">
          <AttachButton
            isExpanded={isAttaching}
            onClick={() => {
              setIsAttaching(!isAttaching);
            }}
          />
          <SendButtons canSend={input.text.trim() !== ''} onSend={input.submit} />
        </div>
      </div>
    </div>
  );
}

/** Whether Shift+Enter sends, and not Enter. */
function useSendsWithShift(): boolean {
  const { settings } = useChat().workbench;
  return React.useSyncExternalStore(
    useSubscription(settings.changed),
    () => settings.current.sendWithShiftEnter
  );
}

interface InputTextProps {
  readonly node: React.RefObject<HTMLTextAreaElement>;
  readonly input: Input;
}

function InputText({ node, input }: InputTextProps): React.JSX.Element {
  const { trans } = useChat();
  const withShift = useSendsWithShift();
  const { list, index } = input.completer;
  return (
    <div className="jp-LocalLLMChat-grow" data-text={input.text}>
      <textarea
        ref={node}
        className="jp-LocalLLMChat-input"
        rows={1}
        value={input.text}
        placeholder={trans.__('Ask… (/ commands, @ attach)')}
        aria-label={trans.__('Message')}
        role="combobox"
        aria-autocomplete="list"
        aria-haspopup="listbox"
        aria-expanded={list !== null}
        aria-controls={list === null ? undefined : input.listId}
        aria-activedescendant={list === null ? undefined : optionId(input.listId, index)}
        onChange={input.onChange}
        onSelect={input.onSelect}
        onBlur={input.completer.close}
        onKeyDown={event => {
          input.onKeyDown(event, withShift);
        }}
      />
    </div>
  );
}

interface AttachButtonProps {
  readonly isExpanded: boolean;
  readonly onClick: () => void;
}

function AttachButton({ isExpanded, onClick }: AttachButtonProps): React.JSX.Element {
  const { trans } = useChat();
  return (
    <IconButton
      icon={attachIcon}
      label={trans.__('Attach')}
      className="jp-LocalLLMChat-attach"
      popup="menu"
      isExpanded={isExpanded}
      onClick={onClick}
    />
  );
}

interface SendButtonsProps {
  readonly canSend: boolean;
  readonly onSend: () => Promise<void>;
}

/** Send, or Stop in its place while an answer is written. */
function SendButtons({ canSend, onSend }: SendButtonsProps): React.JSX.Element {
  const { trans, model } = useChat();
  const { writingId } = useChatState();
  const withShift = useSendsWithShift();
  return (
    <>
      <span className="jp-LocalLLMChat-keys" aria-hidden="true">
        {withShift ? trans.__('Shift+Enter sends') : trans.__('Shift+Enter for a new line')}
      </span>
      {writingId !== null ? (
        <IconButton
          icon={stopIcon}
          label={trans.__('Stop')}
          className="jp-LocalLLMChat-stop"
          onClick={() => {
            model.stop();
          }}
        />
      ) : (
        <IconButton
          icon={sendIcon}
          label={trans.__('Send')}
          className="jp-LocalLLMChat-send"
          reason={canSend ? null : trans.__('write something first')}
          onClick={() => {
            void onSend();
          }}
        />
      )}
    </>
  );
}
