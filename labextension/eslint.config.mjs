import tseslint from 'typescript-eslint';

export default tseslint.config(
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: {
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname }
    },
    rules: {
      '@typescript-eslint/no-non-null-assertion': 'error',
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      'no-restricted-properties': [
        'error',
        { property: 'innerHTML', message: 'Text goes into the page through textContent.' },
        { property: 'outerHTML', message: 'Text goes into the page through textContent.' },
        { property: 'insertAdjacentHTML', message: 'Text goes into the page through textContent.' }
      ],
      eqeqeq: 'error'
    }
  },
  {
    files: ['src/__tests__/**'],
    rules: { '@typescript-eslint/no-floating-promises': 'off' }
  }
);
