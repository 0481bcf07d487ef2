"""Parts of messages in Japanese and Chinese."""

# ruff: noqa: RUF001 - the characters of the languages
from __future__ import annotations

from typing import Final

from labelled_messages.training.grammar import Grammar

JAPANESE: Final = Grammar(
    greetings=("", "", "こんにちは。", "お世話になっております。", "はじめまして。", "ご担当者様"),
    openings=(
        "先日はありがとうございました。",
        "急なお願いで恐れ入ります。",
        "友人の紹介でご連絡しました。",
    ),
    orders=(
        "{product}を{quantity}個お願いします。",
        "{product}を{quantity}つください。",
        "{product}が{quantity}個必要です。",
        "{product} {quantity}個",
        "{product}×{quantity}",
        "{product}を{quantity}点購入したいです。",
        "{quantity}個の{product}を送ってください。",
        "{product}の在庫があれば{quantity}個取り置きしてもらえますか。",
        "商品は{product}、数は{quantity}です。",
    ),
    signed=(
        "{customer}様より{product}{quantity}個のご注文です。",
        "{customer}は{product}を{quantity}個必要としています。",
        "請求先は{customer}、{product}を{quantity}個。",
        "{customer}さんから電話:{product}を{quantity}個",
    ),
    introductions=(
        "{customer}です。",
        "私は{customer}といいます。",
        "こちらは{customer}です。",
        "名前は{customer}です。",
    ),
    closings=(
        "",
        "よろしく。",
        "敬具",
        "ありがとうございます。",
        "以上、よろしくお願いいたします。",
    ),
    corrections=(
        "{product}を{earlier}個、いえ、{quantity}個お願いします。",
        "{earlier}個ではなく{quantity}個の{product}です。",
        "{product}は{earlier}個と書きましたが、{quantity}個に変更してください。",
        "{other}はやめて、{product}を{quantity}個にします。",
    ),
    uncounted=(
        "{product}が欲しいです。",
        "{product}はありますか。",
        "{product}の値段を教えてください。",
    ),
    unnamed=(
        "{quantity}個ください。",
        "前回と同じものを{quantity}個お願いします。",
        "あと{quantity}個必要です。",
    ),
    unrelated=("{weekday}は営業していますか。", "荷物が{n}日遅れています。", "返品したいです。"),
    multiples=(("前回は{product}が{base}個、今回は{quantity}です。", 2),),
    remarks=(
        "私たちは{n}人です。",
        "{other}は要りません。",
        "{weekday}に{stranger}さんと話しました。",
        "{n}階です。",
    ),
    details={
        "price": ("単価は{price}です。",),
        "due": ("{due}までに届けてください。", "納期:{due}"),
        "address": ("送り先は{address}です。", "住所:{address}"),
        "phone": ("電話は{phone}です。",),
        "email": ("請求書は{email}へ。",),
        "reference": ("注文番号は{reference}です。",),
        "contact": ("受取人は{contact}です。",),
    },
    labels={
        "customer": ("お名前", "会社名", "注文者", "氏名"),
        "product": ("商品名", "品名", "商品"),
        "quantity": ("数量", "個数", "数"),
        "price": ("単価", "価格"),
        "due": ("納期", "希望日"),
        "address": ("住所", "お届け先"),
        "phone": ("電話", "TEL"),
        "email": ("メール",),
        "reference": ("注文番号",),
        "contact": ("受取人",),
    },
    counters=("個", "点", "枚"),
)

CHINESE: Final = Grammar(
    greetings=("", "", "您好，", "老板好，", "早上好，", "你们好！"),
    openings=("谢谢上次的帮助。", "朋友介绍我来的。", "时间有点急，不好意思。"),
    orders=(
        "我要{quantity}个{product}。",
        "我们需要{quantity}个{product}。",
        "想买{quantity}件{product}。",
        "{product} {quantity}个",
        "{product}×{quantity}",
        "麻烦发{quantity}个{product}过来。",
        "{product}还有货吗？有的话留{quantity}个。",
        "商品：{product}，数量：{quantity}。",
        "下单{quantity}个{product}。",
    ),
    signed=(
        "{customer}需要{quantity}个{product}。",
        "{customer}订{quantity}个{product}。",
        "发票开给{customer}，{product}{quantity}个。",
        "{customer}来电话，要{quantity}个{product}。",
    ),
    introductions=(
        "我是{customer}。",
        "我叫{customer}。",
        "这里是{customer}。",
        "姓名：{customer}。",
    ),
    closings=("", "谢谢！", "此致", "多谢，", "祝好，"),
    corrections=(
        "要{earlier}个{product}，不对，{quantity}个。",
        "不是{earlier}个，是{quantity}个{product}。",
        "原来说{earlier}个{product}，现在改成{quantity}个。",
        "{other}不要了，换成{quantity}个{product}。",
    ),
    uncounted=("我们需要{product}。", "有{product}吗？", "{product}多少钱？"),
    unnamed=(
        "再要{quantity}个。",
        "跟上次一样，这回{quantity}个。",
        "我们需要{quantity}个那种的。",
    ),
    unrelated=("{weekday}开门吗？", "我的包裹晚了{n}天。", "我要退货。"),
    multiples=(("上次是{base}个{product}，这次{quantity}。", 2),),
    remarks=("我们有{n}个人。", "不要{other}。", "{weekday}跟{stranger}谈过。", "我们在{n}楼。"),
    details={
        "price": ("单价{price}。",),
        "due": ("{due}之前送到。", "交货日期：{due}"),
        "address": ("送到{address}。", "地址：{address}"),
        "phone": ("电话{phone}。",),
        "email": ("发票发到{email}。",),
        "reference": ("订单号{reference}。",),
        "contact": ("收货人是{contact}。",),
    },
    labels={
        "customer": ("客户", "姓名", "公司", "订货人"),
        "product": ("商品", "品名", "产品"),
        "quantity": ("数量", "件数", "个数"),
        "price": ("单价", "价格"),
        "due": ("交货日期", "日期"),
        "address": ("地址",),
        "phone": ("电话",),
        "email": ("邮箱",),
        "reference": ("订单号",),
        "contact": ("收货人",),
    },
    counters=("个", "件", "张"),
)
