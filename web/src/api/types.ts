// The API's words, by short names. They come from openapi.json, which the server's routes write; `npm run types`
// makes build/schema.d.ts of it, so a field that the server renames does not compile here.
import type { components } from "../../build/schema.d.ts";

type Schemas = components["schemas"];

export type Session = Schemas["SessionBody"];
export type Conversation = Schemas["ConversationBody"];
export type ConversationList = Schemas["ConversationList"];
export type ConversationTree = Schemas["ConversationTree"];
export type Message = Schemas["MessageBody"];
export type Reply = Schemas["ReplyBody"];
export type ReplyError = Schemas["ReplyError"];
export type Asked = Schemas["Asked"];
export type Hit = Schemas["HitBody"];
export type HitList = Schemas["HitList"];

export type AccountEvent =
  | Schemas["Hello"]
  | Schemas["MessageAdded"]
  | Schemas["ReplyBegan"]
  | Schemas["ReplyMoved"]
  | Schemas["ReplyGrew"]
  | Schemas["ReplyEnded"]
  | Schemas["ConversationChanged"]
  | Schemas["ConversationRemoved"]
  | Schemas["Replaced"];
