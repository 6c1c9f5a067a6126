// The look's values are the server's pages' own; the rest builds on them.
import "../../../src/tidegate/http/pages/tokens.css";
import "./base.css";
import "./controls.css";
import "./frame.css";
import "./side.css";
import "./thread.css";
import "./prose.css";
import "./composer.css";
