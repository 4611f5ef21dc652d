/**
 * Which model the next question goes to, how each of them does, and loading them by hand.
 */

import { caretDownIcon, checkIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { ModelInfo } from '../../protocol';
import type { ChatState } from '../state';
import { useChat, useChatState } from './context';
import { Popover } from './popover';
import { describeModelState, shortModelName } from './text';

function chosenModel({ models, modelId }: ChatState): ModelInfo | undefined {
  return models.find(({ id, isDefault }) => (modelId === '' ? isDefault : id === modelId));
}

export function ModelPicker(): React.JSX.Element {
  const { trans } = useChat();
  const state = useChatState();
  const [isOpen, setIsOpen] = React.useState(false);
  const close = React.useCallback(() => {
    setIsOpen(false);
  }, []);
  const chosen = chosenModel(state);
  const name =
    chosen !== undefined
      ? shortModelName(chosen.id)
      : state.modelId === ''
        ? trans.__('No model')
        : shortModelName(state.modelId);
  const how = chosen === undefined ? '' : describeModelState(chosen, trans);
  return (
    <div className="jp-LocalLLMChat-modelPicker">
      <button
        type="button"
        className="jp-LocalLLMChat-modelButton"
        title={how === '' ? name : `${chosen?.id ?? name}: ${how}`}
        aria-label={trans.__('Model: %1 %2', name, how)}
        aria-haspopup="dialog"
        aria-expanded={isOpen}
        data-state={chosen?.state ?? 'failed'}
        onClick={() => {
          setIsOpen(!isOpen);
        }}
      >
        <span className="jp-LocalLLMChat-modelDot" aria-hidden="true" />
        <span className="jp-LocalLLMChat-modelName">{name}</span>
        {chosen?.state === 'loading' ? <span>{how}</span> : null}
        <caretDownIcon.react tag="span" className="jp-LocalLLMChat-icon" aria-hidden="true" />
      </button>
      {isOpen ? (
        <Popover label={trans.__('Models')} onClose={close}>
          <ModelList
            chosen={chosen}
            models={state.models.filter(({ canChat }) => canChat)}
            onClose={close}
          />
        </Popover>
      ) : null}
    </div>
  );
}

interface ModelListProps {
  readonly models: readonly ModelInfo[];
  readonly chosen: ModelInfo | undefined;
  readonly onClose: () => void;
}

function ModelList({ models, chosen, onClose }: ModelListProps): React.JSX.Element {
  const { model, trans } = useChat();
  if (models.length === 0) {
    return (
      <p className="jp-LocalLLMChat-hint">
        {trans.__('No model was found. Add a GGUF file to the models folder, then open this list again.')}
      </p>
    );
  }
  return (
    <ul className="jp-LocalLLMChat-models">
      {models.map(info => (
        <li key={info.id} className="jp-LocalLLMChat-model" data-state={info.state} data-model-id={info.id}>
          <button
            type="button"
            className="jp-LocalLLMChat-modelChoice"
            data-stop
            data-autofocus={info === chosen ? true : undefined}
            aria-pressed={info === chosen}
            onClick={() => {
              model.chooseModel(info.id);
              onClose();
            }}
          >
            <span className="jp-LocalLLMChat-modelDot" aria-hidden="true" />
            <span className="jp-LocalLLMChat-modelName" title={info.id}>
              {shortModelName(info.id)}
            </span>
            {info === chosen ? (
              <checkIcon.react tag="span" className="jp-LocalLLMChat-icon" aria-hidden="true" />
            ) : null}
          </button>
          <ModelDetails info={info} />
        </li>
      ))}
    </ul>
  );
}

function ModelDetails({ info }: { readonly info: ModelInfo }): React.JSX.Element {
  const { model, trans } = useChat();
  const { id, state, error, warnings, loadProgress } = info;
  const isThere = state === 'ready' || state === 'loading';
  return (
    <>
      <div className="jp-LocalLLMChat-modelLine">
        <span>{describeModelState(info, trans)}</span>
        <button
          type="button"
          className="jp-LocalLLMChat-textButton"
          aria-label={isThere ? trans.__('Unload %1', id) : trans.__('Load %1', id)}
          onClick={() => {
            void (isThere ? model.unloadModel(id) : model.loadModel(id));
          }}
        >
          {isThere ? trans.__('Unload') : trans.__('Load')}
        </button>
      </div>
      {state === 'loading' ? (
        <progress
          className="jp-LocalLLMChat-bar"
          aria-label={trans.__('Loading %1', id)}
          max={1}
          {...(loadProgress === null ? {} : { value: loadProgress })}
        />
      ) : null}
      {error === null ? null : (
        <p className="jp-LocalLLMChat-error">
          {error.message} {error.hint}
        </p>
      )}
      {warnings.map(text => (
        <p key={text} className="jp-LocalLLMChat-hint">
          {text}
        </p>
      ))}
    </>
  );
}
