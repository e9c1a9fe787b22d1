import gradio as gr
from mobilesamv2.web.sessions import Sessions
from mobilesamv2.web.layout.page import Page, without_gpu
from mobilesamv2.web.layout.prompt_tab import PromptTab
from mobilesamv2.web.layout.parts import photo_input
from mobilesamv2.web.layout.serving import launch, script
from mobilesamv2.web.layout.wiring import on_another_photo
from mobilesamv2.web.layout.inputs import Demo
def build_demo(models, s):
    with Demo(title="x") as demo:
        gr.HTML("",elem_id="colophon")
        with gr.Column(elem_id="bench"):
            with gr.Column(elem_id="source"):
                photo=photo_input(); at=gr.Textbox(visible="hidden", elem_id="photo-at-hand"); model=gr.Textbox("nano",visible="hidden")
                gr.Examples([[str(p)] for p in s.examples],inputs=[photo],label="Examples",elem_id="examples",api_visibility="private")
            page=Page(settings=s,models=models,sessions=Sessions(most=9,most_bytes=10**9,seconds=3600),gpu=without_gpu,photo=photo,at_hand=at,model=model,load=demo.load)
            with gr.Tabs(elem_id="tabs"):
                with gr.Tab("Segment everything"): gr.Markdown("hi")
                with gr.Tab("Point and box",elem_id="prompt-tab"): tab=PromptTab(page)
        demo.load(None,js=script("jobs"),queue=False)
        for n in ("bring","names","radios"): demo.load(None,js=script(n),queue=False)
        demo.load(None, js='() => document.documentElement.classList.add("scripted")', queue=False)
        tab.connect()
        on_another_photo(page, tab.outputs, tab.cleared())
    return demo
