"""Chinese as it is said: figures and signs become characters."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loquent.text.chinese_numbers import cardinal
from loquent.text.spoken_chinese import spoken_chinese

SAID = [
    ("2024年3月5日", "二零二四年三月五日"),
    ("2024-03-05", "二零二四年三月五日"),
    ("20年前", "二十年前"),
    ("上午9:30", "上午九点三十分"),
    ("14:05", "十四点零五分"),
    ("8:00", "八点整"),
    ("2:00", "两点整"),
    ("花了¥4.50", "花了四元五角"),
    ("1,234.56元", "一千二百三十四元五角六分"),
    ("0.05元", "五分"),
    ("$4.5亿", "四点五亿美元"),
    ("2000元", "两千元"),
    ("涨了3.2%", "涨了百分之三点二"),
    ("5%-8%", "百分之五到百分之八"),
    ("气温-5℃", "气温零下五摄氏度"),
    ("3.5kg苹果", "三点五公斤苹果"),
    ("10-20km", "十到二十公里"),
    ("1/2", "二分之一"),
    ("比分3:2", "比分三比二"),
    ("第3名", "第三名"),
    ("2个人和12个人", "两个人和十二个人"),
    ("电话13812345678", "电话幺三八幺二三四五六七八"),
    ("010-12345678", "零幺零幺二三四五六七八"),
    ("-3.5", "负三点五"),
    ("007", "零零七"),
    ("3.14159", "三点一四一五九"),
    ("MP3", "MP三"),
    ("你好，世界。", "你好，世界。"),
]


@pytest.mark.parametrize(("written", "said"), SAID, ids=[written for written, _ in SAID])
def test_what_is_written_is_said(written: str, said: str) -> None:
    assert spoken_chinese(written).text == said


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (0, "零"),
        (10, "十"),
        (12, "十二"),
        (110, "一百一十"),
        (1050, "一千零五十"),
        (1005, "一千零五"),
        (10_003, "一万零三"),
        (20_000, "两万"),
        (100_200, "十万零二百"),
        (101_000, "十万一千"),
        (120_000_000, "一亿两千万"),
        (100_000_001, "一亿零一"),
        (-7, "负七"),
    ],
)
def test_whole_numbers(number: int, said: str) -> None:
    assert cardinal(number) == said


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="0123456789.,-/:：¥$%年月日个kg中文A ～", max_size=40))
def test_no_figure_is_left_and_nothing_fails(text: str) -> None:
    made = spoken_chinese(text).text
    assert not any(each.isdecimal() for each in made)
