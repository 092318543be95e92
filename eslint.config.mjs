// Faults in the pages' scripts; how they look is prettier's, see .prettierrc.json.
import js from "@eslint/js";
import globals from "globals";

const rules = {
  eqeqeq: ["error", "always"],
  "no-implicit-globals": "error",
  "no-shadow": ["error", { builtinGlobals: false, hoist: "functions" }],
  "no-unused-vars": [
    "error",
    { argsIgnorePattern: "^_", varsIgnorePattern: "^_", caughtErrors: "none", ignoreRestSiblings: true },
  ],
  "no-use-before-define": ["error", { functions: false, classes: false, variables: false }],
  "no-self-compare": "error",
  "no-throw-literal": "error",
  "no-unneeded-ternary": "error",
  "no-useless-return": "error",
  "no-useless-rename": "error",
  "no-var": "error",
  "no-eval": "error",
  "no-new-func": "error",
  "no-implied-eval": "error",
  // Names of datasets, classes and files are other people's words: a text becomes a text node, never HTML.
  "no-restricted-properties": [
    "error",
    ...["innerHTML", "outerHTML", "insertAdjacentHTML", "setHTMLUnsafe", "createContextualFragment", "srcdoc"].map(
      (property) => ({ property, message: "Use textContent, or the nodes of lib/dom.js." }),
    ),
    { object: "document", property: "write", message: "Use textContent, or the nodes of lib/dom.js." },
  ],
  "no-template-curly-in-string": "error",
  "no-constant-binary-expression": "error",
  "array-callback-return": "error",
  "default-case-last": "error",
  "object-shorthand": "error",
  "prefer-const": ["error", { destructuring: "all" }],
  "prefer-rest-params": "error",
  "prefer-spread": "error",
  "prefer-object-has-own": "error",
  "prefer-template": "error",
};

export default [
  { ignores: ["app/static/vendor/", "node_modules/", ".venv/", "data/", "instance/"] },
  js.configs.recommended,
  {
    files: ["app/static/js/**/*.js"],
    languageOptions: { ecmaVersion: 2022, sourceType: "module", globals: globals.browser },
    linterOptions: { reportUnusedDisableDirectives: "error" },
    rules,
  },
  {
    files: ["tests/js/**/*.js", "*.mjs"],
    languageOptions: { ecmaVersion: 2022, sourceType: "module", globals: globals.node },
    rules,
  },
];
