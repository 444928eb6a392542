"""Visage: explore the latent space of a variational autoencoder. Run it: streamlit run app.py"""

from pathlib import Path

import streamlit as st

from ui.navigation import drawing, navigate

HERE = Path(__file__).parent


def main() -> None:
    page = navigate()
    st.logo(drawing("logo"), size="large", icon_image=drawing("icon"))
    st.html(HERE / "ui" / "style.css")
    with st.container(key="scripts"):
        script = (HERE / "ui" / "history.js").read_text(encoding="utf-8")
        st.html(f"<script>{script}</script>", unsafe_allow_javascript=True)
    # This imports torch, which takes seconds once: the frame above is on screen before.
    from ui import memory, session, trash, words

    memory.keep_tidy()

    with words.sentences(), session.picked_model():
        trash.tell()
        page.run()


# Streamlit runs this file as the main one; a process that is forked beside it only imports it.
if __name__ == "__main__":
    main()
