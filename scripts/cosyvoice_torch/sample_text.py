"""Sentences of our own: to learn a small vocabulary from, and to try the front end on."""

LINES = [
    "The ferry left the harbour at dawn, and nobody on the pier waved.",
    "She counted the lanterns twice: there were nineteen, not twenty.",
    "Please read this sentence slowly; it was written for a machine.",
    "What did the radio say about the weather in the mountains?",
    "Snow, rain and then, finally, a clear evening over the valley!",
    "They're sure it's fine, but I'd rather we'd asked before we left.",
    "A good voice is not loud. It is clear, warm and easy to follow.",
    "The engine hums, the kernel runs, and the numbers agree to the sixth digit.",
    "早上的市场很热闹，卖菜的人大声喊着价格。",
    "请把窗户关上，外面开始下雨了。",
    "我们坐火车去海边，路上看见了很多白色的鸟。",
    "这首歌的声音很轻，像风吹过竹林。",
    "老师说：“明天不上课。”孩子们都笑了。",
    "机器学会说话以后，房间里安静了很久。",
    "他每天晚上都给奶奶打一个电话，问她吃了什么。",
    "如果天气好，我们就去山上看日出；如果下雨，就在家里喝茶。",
]

CASES = [
    "Hello, world.",
    "It's 7 o'clock, and 2024 people (or 1001?) wait.",
    "今天天气很好，我们去公园吧！！真的吗？？",
    "面积是30m²，体积是5m³ - 大概（左右）——嗯。",
    "我用 iPhone 15 Pro 和 Mac  mini，价格 3.14、",
    "他笑了[laughter]然后<strong>停下</strong>。",
    "用四川话说<|endofprompt|>你好 123",
    "……",
    "line one\nline two",
    "  blanks around  ",
    "Cafe\u0301, naïve 😀 ½ ² こんにちは 안녕",
    "老师说：“明天不上课。”孩子们都笑了，，",
]

LONG_CASES = [" ".join(LINES[:8]), "".join(LINES[8:])]
"""Long enough to be split."""
