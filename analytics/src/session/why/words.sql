-- Puts the parts into words: names of what a part is, its share, a sentence on each, and the summary of two lines a duty leader reads.
--
-- Every aspect of a row of a job adds up to total. The two lines of the summary name at most the two categories, three hours, three
-- neighbours (or grids) and the channel that contribute most; of what is less than half a case nothing is said, nor of a neighbour that
-- contributes more than all together, where they all but cancel out.
WITH names (aspect, part, name_zh, name_en) AS (
    VALUES ('location', 'source', '来源给定网格', 'grid given by the source'),
        ('location', 'point', '按坐标定位', 'located by coordinates'),
        ('location', 'address', '按地址文字定位', 'located by the text of the address'),
        ('location', 'unknown', '定位方式不明', 'not located'),
        ('lateness', 'hour', '1 小时内收到', 'received within an hour'),
        ('lateness', 'day', '24 小时内收到', 'received within 24 hours'),
        ('lateness', 'later', '24 小时后收到', 'received after 24 hours'),
        ('lateness', 'unknown', '收到时间不明', 'time of receipt unknown'),
        ('lateness', 'refused', '迟到未计', 'too late to be counted'),
        ('channel', 'phone', '电话', 'phone'),
        ('channel', 'app', 'App', 'app'),
        ('channel', 'web', '网页', 'web'),
        ('channel', 'wechat', '微信', 'WeChat'),
        ('channel', 'window', '窗口', 'window'),
        ('channel', 'grid', '网格员', 'grid workers'),
        ('channel', 'unknown', '渠道不明', 'channel unknown'),
        ('category', 'unknown', '类别不明', 'category unknown'),
        ('grid', 'unlocated', '未定位', 'unlocated')
),
named AS (
    SELECT
        parts.*,
        CASE
            WHEN parts.part = 'half_case' THEN '平滑半件'
            WHEN parts.aspect = 'summary' AND :grid = '*' THEN '全市'
            WHEN parts.aspect = 'summary' AND :grid = 'unlocated' THEN '未定位'
            WHEN parts.aspect = 'hour' THEN parts.part || ' 时'
            WHEN parts.aspect = 'baseline' AND detector = 'hotspots' THEN '前 ' || parts.part || ' 周'
            ELSE coalesce(names.name_zh, places.name_zh, parts.part)
        END AS name_zh,
        CASE
            WHEN parts.part = 'half_case' THEN 'half a case more'
            WHEN parts.aspect = 'summary' AND :grid = '*' THEN 'whole city'
            WHEN parts.aspect = 'summary' AND :grid = 'unlocated' THEN 'unlocated'
            WHEN parts.aspect = 'hour' THEN parts.part || ':00'
            WHEN parts.aspect = 'baseline' AND detector = 'hotspots' THEN parts.part || ' weeks before'
            ELSE coalesce(names.name_en, places.name_en, places.name_zh, parts.part)
        END AS name_en,
        sum(contribution) OVER (PARTITION BY detector, period, measure, parts.aspect) AS total,
        row_number() OVER (PARTITION BY detector, period, measure, parts.aspect ORDER BY contribution DESC, parts.part) AS place
    FROM :parts AS parts
    LEFT JOIN names ON names.aspect = parts.aspect AND names.part = parts.part
    LEFT JOIN (SELECT grid_id, name_zh, name_en FROM grids) AS places
        ON places.grid_id = CASE WHEN parts.aspect IN ('neighbour', 'grid') THEN parts.part WHEN parts.aspect = 'summary' THEN :grid END
),
-- Numbers as they are read: one digit, and none where it is zero.
written AS (
    SELECT
        *,
        contribution / nullif(total, 0.0) AS share,
        part <> 'half_case' AND contribution >= 0.5 AS telling,
        regexp_replace(CAST(round(value, 1) + 0.0 AS VARCHAR), '\.0$', '') AS v,
        regexp_replace(CAST(round(expected, 1) + 0.0 AS VARCHAR), '\.0$', '') AS e,
        regexp_replace(CAST(round(abs(contribution), 1) AS VARCHAR), '\.0$', '') AS c,
        CASE WHEN round(contribution, 1) < 0.0 THEN '−' ELSE '+' END AS sign,
        CASE WHEN total = 0.0 THEN '–' ELSE replace(concat(CAST(round(100.0 * contribution / total) AS BIGINT), ' %'), '-', '−') END AS percent
    FROM named
),
-- What of each part the summary takes up.
taken AS (
    SELECT
        *,
        CASE WHEN aspect = 'category' AND place <= 2 AND telling AND :category = '*' THEN concat(name_zh, ' ', sign, c) END AS topic_zh,
        CASE WHEN aspect = 'category' AND place <= 2 AND telling AND :category = '*' THEN concat(name_en, ' ', sign, c) END AS topic_en,
        CASE WHEN aspect = 'hour' AND place <= 3 AND telling THEN part END AS hour,
        CASE WHEN aspect = 'neighbour' AND place <= 3 AND contribution > 0.0 AND contribution <= total
            THEN concat(CASE WHEN part = :grid THEN '本格' ELSE name_zh END, ' ', percent) END AS near_zh,
        CASE WHEN aspect = 'neighbour' AND place <= 3 AND contribution > 0.0 AND contribution <= total
            THEN concat(CASE WHEN part = :grid THEN 'itself' ELSE name_en END, ' ', percent) END AS near_en,
        CASE WHEN aspect = 'grid' AND place <= 3 AND telling THEN concat(name_zh, ' ', sign, c) END AS grid_zh,
        CASE WHEN aspect = 'grid' AND place <= 3 AND telling THEN concat(name_en, ' ', sign, c) END AS grid_en,
        CASE WHEN aspect = 'channel' AND place = 1 AND telling THEN concat(name_zh, ' ', sign, c) END AS way_zh,
        CASE WHEN aspect = 'channel' AND place = 1 AND telling THEN concat(name_en, ' ', sign, c) END AS way_en,
        CASE WHEN aspect = 'location' AND part = 'address' THEN percent END AS text_share,
        CASE WHEN aspect = 'lateness' AND part = 'later' THEN v END AS late,
        CASE WHEN aspect = 'lateness' AND part = 'refused' THEN v END AS left_out,
        CASE
            WHEN aspect = 'neighbour' AND measure = 'count' THEN concat(name_zh, '：', v, ' 件，全市每格平均 ', e, '，贡献 ', sign, c, '（', percent, '）')
            WHEN aspect = 'neighbour' THEN concat(name_zh, '：超出往常 ', v, ' 个标准差，全市平均 ', e, '，贡献 ', sign, c, '（', percent, '）')
            WHEN part = 'refused' THEN concat(name_zh, '：', v, ' 件')
            WHEN aspect IN ('location', 'lateness') THEN concat(name_zh, '：', v, ' 件（', percent, '）')
            WHEN aspect = 'baseline' THEN concat(name_zh, '：', v, ' 件，计入往常 ', c)
            WHEN expected IS NULL THEN concat(name_zh, '：', v, ' 件，往常不明')
            ELSE concat(name_zh, '：', v, ' 件，往常 ', e, '，', sign, c)
        END AS said_zh,
        CASE
            WHEN aspect = 'neighbour' AND measure = 'count' THEN concat(name_en, ': ', v, ', mean of the map ', e, ', contributes ', sign, c, ' (', percent, ')')
            WHEN aspect = 'neighbour' THEN concat(name_en, ': ', v, ' standard deviations above its usual, mean of the map ', e, ', contributes ', sign, c, ' (', percent, ')')
            WHEN part = 'refused' THEN concat(name_en, ': ', v)
            WHEN aspect IN ('location', 'lateness') THEN concat(name_en, ': ', v, ' (', percent, ')')
            WHEN aspect = 'baseline' THEN concat(name_en, ': ', v, ', ', c, ' of the usual')
            WHEN expected IS NULL THEN concat(name_en, ': ', v, ', the usual is unknown')
            ELSE concat(name_en, ': ', v, ', usually ', e, ', ', sign, c)
        END AS said_en
    FROM written
),
-- One row for the two lines, with its parts in a list. (Windows would do, were the orderings of their columns not weighed one by one.)
told AS (
    SELECT
        detector,
        period,
        measure,
        as_of,
        string_agg(topic_zh, '、' ORDER BY place) AS topics_zh,
        string_agg(topic_en, ', ' ORDER BY place) AS topics_en,
        array_to_string(array_sort(array_agg(hour) FILTER (WHERE hour IS NOT NULL)), '、') AS hours_zh,
        array_to_string(array_sort(array_agg(hour) FILTER (WHERE hour IS NOT NULL)), ', ') AS hours_en,
        string_agg(near_zh, '、' ORDER BY place) AS around_zh,
        string_agg(near_en, ', ' ORDER BY place) AS around_en,
        string_agg(grid_zh, '、' ORDER BY place) AS grids_zh,
        string_agg(grid_en, ', ' ORDER BY place) AS grids_en,
        max(way_zh) AS channel_zh,
        max(way_en) AS channel_en,
        max(text_share) AS by_text,
        max(late) AS later,
        max(left_out) AS refused,
        array_agg(named_struct(
            'aspect', aspect, 'part', part, 'name_zh', name_zh, 'name_en', name_en, 'value', value, 'expected', expected, 'contribution', contribution, 'share', share, 'total', total,
            'scale', scale, 'place', place, 'v', v, 'e', e, 'c', c, 'sign', sign, 'said_zh', said_zh, 'said_en', said_en)) AS rows
    FROM taken
    GROUP BY 1, 2, 3, 4
),
listed AS (
    SELECT
        told.*,
        row['aspect'] AS aspect,
        row['part'] AS part,
        row['name_zh'] AS name_zh,
        row['name_en'] AS name_en,
        row['value'] AS value,
        row['expected'] AS expected,
        row['contribution'] AS contribution,
        row['share'] AS share,
        row['total'] AS total,
        row['scale'] AS scale,
        row['place'] AS place,
        row['v'] AS v,
        row['e'] AS e,
        row['c'] AS c,
        row['sign'] AS sign,
        row['said_zh'] AS said_zh,
        row['said_en'] AS said_en
    FROM (SELECT *, unnest(rows) AS row FROM told) AS told
)
-- concat and concat_ws leave out what is NULL. (coalesce would repeat its argument, and where they nest the plan doubles with each.)
SELECT
    detector,
    period,
    measure,
    aspect,
    part,
    name_zh,
    name_en,
    value,
    expected,
    contribution,
    share,
    total,
    scale,
    CASE WHEN aspect <> 'summary' THEN said_zh ELSE concat_ws(
        chr(10),
        concat(
            CASE period WHEN '24h' THEN '近 24 小时 ' WHEN '7d' THEN '近 7 天 ' ELSE concat(part, '：') END, v, ' 件，',
            CASE
                WHEN expected IS NULL THEN '往常不明（历史不足）'
                WHEN c = '0' THEN concat('与往常（', e, '）相同')
                ELSE concat('比往常（', e, '）', CASE sign WHEN '+' THEN '多 ' ELSE '少 ' END, c, ' 件')
            END,
            CASE WHEN sign = '+' THEN concat('：' || topics_zh, '；主要在 ' || hours_zh || ' 时') END),
        nullif(concat_ws(
            '；',
            '邻格合看：' || around_zh,
            CASE WHEN sign = '+' THEN '主要网格：' || grids_zh END,
            CASE WHEN sign = '+' THEN channel_zh END,
            '按地址文字定位 ' || by_text,
            '24 小时后才收到 ' || later || ' 件',
            '迟到未计 ' || refused || ' 件'), '')) END AS text_zh,
    CASE WHEN aspect <> 'summary' THEN said_en ELSE concat_ws(
        chr(10),
        concat(
            v, CASE period WHEN '24h' THEN ' in 24 hours, ' WHEN '7d' THEN ' in 7 days, ' ELSE concat(' on ', part, ', ') END,
            CASE
                WHEN expected IS NULL THEN 'the usual is unknown (short history)'
                WHEN c = '0' THEN concat('as usual (', e, ')')
                ELSE concat(c, CASE sign WHEN '+' THEN ' more than usual (' ELSE ' fewer than usual (' END, e, ')')
            END,
            CASE WHEN sign = '+' THEN concat(': ' || topics_en, '; mostly at ' || hours_en || ' h') END),
        nullif(concat_ws(
            '; ',
            'With neighbours: ' || around_en,
            CASE WHEN sign = '+' THEN 'mostly in ' || grids_en END,
            CASE WHEN sign = '+' THEN channel_en END,
            by_text || ' located by address text',
            later || ' received after 24 hours',
            refused || ' came too late to be counted'), '')) END AS text_en,
    as_of,
    CAST(:table_version AS BIGINT) AS table_version
FROM listed
ORDER BY detector, period, measure, array_position(['summary', 'neighbour', 'grid', 'category', 'hour', 'day', 'channel', 'location', 'lateness', 'baseline'], aspect), place
