/**
 * Decides what a finished block of code becomes: a diagram's picture, or code with its buttons.
 *
 * What shows diagrams is loaded with the first one. Called by `index.tsx`.
 */

import { kindOf } from '../../diagrams/nouns';
import type { IDiagrams } from '../../diagrams/tokens';
import type { DecorateCode } from '../markdown/code_view';
import { codeTextOf } from '../markdown/code_view';
import type { IChatModel } from '../state';
import type { Workbench } from '../workbench';
import type { CodeToolbars } from './code_toolbar';

export interface DecorateBlocksOptions {
  readonly toolbars: CodeToolbars;
  readonly diagrams: IDiagrams | null;
  readonly model: IChatModel;
  readonly workbench: Workbench;
}

/** What is done with each block of code once it is whole. */
export function decorateBlocks(options: DecorateBlocksOptions): DecorateCode {
  const { toolbars, diagrams, model, workbench } = options;
  return (block, language, isLive) => {
    const kind = kindOf(language);
    const head = block.querySelector<HTMLElement>('.jp-LocalLLMChat-codeHead');
    const source = codeTextOf(block);
    if (kind === null || diagrams === null || head === null || source.trim() === '') {
      toolbars.decorate(block, language);
      return;
    }
    const repair = {
      model: () => model.state.modelId,
      isAutomatic: () => isLive && workbench.settings.current.repairDiagrams
    };
    diagrams.load().then(
      kit => {
        kit.showBlock({ block, head, source, kind, repair });
      },
      () => {
        toolbars.decorate(block, language);
      }
    );
  };
}
