// The only file that knows the browser: how it is started, and what it complained about.
import { chromium } from "playwright-core";

const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];

/** A machine that compiles beside the test is slow; a page that needs longer is broken. */
const READY_MS = 60_000;

export async function launch(executablePath, { url, width, height, lang }) {
  const browser = await chromium.launch({ executablePath, headless: true, args: FLAGS });
  const context = await browser.newContext({ viewport: { width, height }, reducedMotion: "reduce" });
  const page = await context.newPage();
  // The page's clock runs as ours until a test sends it ahead: nobody has to wait for what the page waits for.
  await page.clock.install();
  const complaints = [];
  // A refused connection is what the test of an absent door provokes.
  page.on("console", (message) => {
    if (message.type() === "error" && !/Failed to load resource/.test(message.text())) complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("request", (request) => {
    if (new URL(request.url()).origin !== url.origin) complaints.push(`foreign request: ${request.url()}`);
  });
  const address = new URL(url);
  address.searchParams.set("lang", lang);
  const visit = {
    page,
    url,
    complaints,
    open: async (to = address.href) => {
      await page.goto(to);
      await page.waitForFunction(() => document.body.dataset.ready === "true", null, { timeout: READY_MS });
    },
    picture: async (path) => {
      await page.screenshot({ path });
      return path;
    },
    clean: async () => {
      const broken = await page.evaluate(() => ({ ran: "broken" in window, inline: document.querySelectorAll("main [style*='expression'], main img, main script").length }));
      if (broken.ran || broken.inline > 0) complaints.push("text from the data became markup");
      const policy = (await page.request.get(url.href)).headers()["content-security-policy"] ?? "";
      if (!policy.includes("default-src 'self'") || policy.includes("unsafe")) complaints.push(`content security policy is ${JSON.stringify(policy)}`);
      if (complaints.length > 0) throw new Error([...new Set(complaints)].join(" | "));
    },
    close: () => browser.close(),
  };
  return visit;
}
