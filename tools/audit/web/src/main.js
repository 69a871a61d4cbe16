// Starts the desk in the page that the server made.
import { mount } from "svelte";

import Desk from "./Desk.svelte";
import "./desk.css";

const place = document.getElementById("desk");
const settings = JSON.parse(place.dataset.settings);
place.replaceChildren();
mount(Desk, { target: place, props: { settings } });
