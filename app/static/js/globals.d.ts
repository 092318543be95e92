// What classic scripts put on the page before the modules run; see templates/base.html and scripts/vendor.sh.
import type { io as connect } from "socket.io-client";
import type * as TusClient from "tus-js-client";

declare global {
  interface Window {
    Chart: any; // with the type "curve" and what the zoom plugin adds to charts
    io: typeof connect;
    tus: typeof TusClient;
    SwaggerUIBundle: any;
    catalogue?: { locale: string; messages: Record<string, string | string[]> };
    setTheme(theme: string): void;
  }
}
export {};
